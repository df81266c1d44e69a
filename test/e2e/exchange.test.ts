/** One round trip in one request, in both of its forms, and what is left behind when it fails. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import { CLI, runCommand, startServiceProcess } from '../support/service-process.ts'
import { startUpstream } from '../support/upstream.ts'

const scripted = useScriptedService(place => ({
  config: {
    limits: { bodyBytes: '64KiB' },
    targets: {
      script: { ...place, pool: { max: 50 } },
      // One connection at a time, so that the next exchange shows what became of the last one's.
      clean: { ...place, pool: { max: 1 }, reuse: 'clean' },
    },
  },
}))

/** The next connection answers as soon as it has been asked. */
async function answering(asked: string, reply: string | Uint8Array, thenEnd = false): Promise<void> {
  const peer = await scripted.upstream.asking(Buffer.byteLength(asked))
  if (thenEnd) peer.end(reply)
  else await peer.send(reply)
}

/** Bytes that the I/O workers have received so far. */
async function bytesIn(): Promise<number> {
  const { workers } = jsonOf<{ workers: Array<{ bytesIn: number }> }>(await scripted.api.get('/v1/workers'))
  return workers.reduce((total, worker) => total + worker.bytesIn, 0)
}

const ask = (read: unknown, more: object = {}) => ({
  json: { target: 'script', write: { text: 'ask' }, read, ...more },
})

describe('POST /v1/exchange', () => {
  test.each([
    ['line', 'a line\nrest', 'a line\n'],
    [{ line: true }, 'a line\nrest', 'a line\n'],
    ['until:;', 'a;b;', 'a;'],
    [{ until: ['--', ';'] }, 'a;b--', 'a;'],
    ['exactly:3', 'abcdef', 'abc'],
    [{ exactly: 0 }, 'abc', ''],
    ['none', '', ''],
    [{ none: true }, '', ''],
  ])('reads %j', async (read, sent, reply) => {
    const [answer] = await Promise.all([scripted.api.post('/v1/exchange', ask(read)), answering('ask', sent)])
    expect([answer.status, answer.text]).toEqual([200, reply])
    expect(answer.headers.get('sockpool-reused')).toBe('false')
    expect(answer.headers.get('sockpool-offset')).toBe('0')
  })

  test.each(['eof', { eof: true }])('reads %j', async read => {
    const [answer] = await Promise.all([
      scripted.api.post('/v1/exchange', ask(read)),
      answering('ask', 'all of it', true),
    ])
    expect([answer.status, answer.text]).toEqual([200, 'all of it'])
    expect(answer.headers.get('sockpool-eof')).toBe('true')
    expect(answer.headers.get('sockpool-end')).toBe('fin')
  })

  test('takes bytes with the rest in the query', async () => {
    const body = new Uint8Array([0, 255, 10])
    const path = '/v1/exchange?target=script&read=until:ff&separatorEncoding=hex&encoding=hex'
    const exchange = scripted.api.postForJson(path, { body })
    const peer = await scripted.upstream.asking(3)
    expect(await peer.received(3)).toEqual(Buffer.from(body))
    await peer.send(Buffer.from([1, 255]))
    expect(await exchange).toEqual({ data: '01ff', encoding: 'hex', offset: 0, eof: false, reused: false })
  })

  test('takes base64 in JSON', async () => {
    const json = { target: 'script', write: { base64: 'AP8=' }, read: 'line' }
    const exchange = scripted.api.post('/v1/exchange', { json })
    const peer = await scripted.upstream.asking(2)
    expect(await peer.received(2)).toEqual(Buffer.from([0, 255]))
    await peer.send('ok\n')
    expect((await exchange).text).toBe('ok\n')
  })

  test('gives a clean connection back, and closes one whose exchange failed', async () => {
    const { api, upstream } = scripted
    const round = (text: string, more: object = {}) =>
      api.post('/v1/exchange', { json: { target: 'clean', write: { text }, read: 'line', ...more } })
    const first = round('one\n')
    const peer = await upstream.asking(4)
    await peer.send('1\n')
    expect((await first).headers.get('sockpool-reused')).toBe('false')
    const second = round('two\n')
    await peer.received(8)
    await peer.send('2\n')
    const { text, headers } = await second
    expect([text, headers.get('sockpool-reused'), headers.get('sockpool-offset')]).toEqual([
      '2\n',
      'true',
      '0',
    ])
    const late = problemOf(await round('three\n', { timeoutMs: 150 }))
    expect(late).toMatchObject({ status: 504, code: 'read_timeout', bytesDelivered: 0, retryable: false })
    await peer.ended()
    const fourth = round('four\n')
    const next = await upstream.asking(5)
    await next.send('4\n')
    expect((await fourth).text).toBe('4\n')
  })

  test('says how far it got when the target hangs up', async () => {
    const [answer] = await Promise.all([
      scripted.api.post('/v1/exchange', ask('exactly:10')),
      answering('ask', 'half', true),
    ])
    expect(problemOf(answer)).toMatchObject({
      status: 502,
      code: 'incomplete_read',
      partial: Buffer.from('half').toString('base64'),
      expected: 10,
    })
  })

  test('fails where the connection breaks before the reply to EOF is whole', async () => {
    const resetting = async (): Promise<void> => {
      const peer = await scripted.upstream.asking('ask'.length)
      const before = await bytesIn()
      await peer.send('half')
      await expect.poll(bytesIn).toBe(before + 'half'.length)
      peer.reset()
    }
    const [answer] = await Promise.all([scripted.api.post('/v1/exchange', ask('eof')), resetting()])
    expect(problemOf(answer)).toMatchObject({ status: 502, code: 'connection_reset', bytesAccepted: 3 })
  })

  test('bounds a reply to EOF by limits.bodyBytes', async () => {
    const [answer] = await Promise.all([
      scripted.api.post('/v1/exchange', ask('eof')),
      answering('ask', 'x'.repeat(65_537), true),
    ])
    expect(problemOf(answer)).toMatchObject({ status: 413, code: 'limit_overrun' })
  })

  test.each([
    ['read', { read: 'word' }],
    ['read', { read: 'exactly:1e3' }],
    ['read', { read: { line: true, eof: true } }],
    ['read', { read: 'frame' }],
    ['write', { read: 'line', write: { text: 'a', base64: 'AA==' } }],
    ['write.base64', { read: 'line', write: { base64: '*' } }],
    ['target.port', { read: 'line', target: { host: 'a.example', port: 0 } }],
    ['target.path', { read: 'line', target: { host: 'a.example', port: 1, path: '/x' } }],
    ['timeoutMs', { read: 'line', timeoutMs: 10 ** 9 }],
  ])('refuses a request whose %s is wrong: %j', async (path, more) => {
    const problem = problemOf(await scripted.api.post('/v1/exchange', ask('line', more)))
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(problem).toHaveProperty('errors', expect.arrayContaining([expect.objectContaining({ path })]))
  })

  test('refuses a body larger than limits.bodyBytes before it is read', async () => {
    const path = '/v1/exchange?target=script&read=none'
    const answer = await scripted.api.post(path, { body: new Uint8Array(65_537) })
    expect(problemOf(answer)).toMatchObject({ status: 413, code: 'body_too_large' })
  })

  test('answers connect_refused where nothing listens', async () => {
    const gone = await startUpstream()
    onTestFinished(() => gone.close())
    const { host, port } = gone
    const service = await startServiceProcess({ config: { targets: { gone: { host, port } } } })
    onTestFinished(() => service.stop())
    await gone.close()
    for (const [path, json] of [
      ['/v1/exchange', { target: 'gone', write: { text: '' }, read: 'line' }],
      ['/v1/leases', { target: 'gone' }],
    ] as const) {
      const problem = problemOf(await service.api.post(path, { json }))
      expect(problem).toMatchObject({ status: 502, code: 'connect_refused', retryable: true })
    }
    const unknown = problemOf(await service.api.post('/v1/leases', { json: { target: 'nobody' } }))
    expect(unknown).toMatchObject({ status: 404, code: 'target_not_found' })
    const row = jsonOf(await service.api.get('/v1/targets/gone'))
    expect(row).toMatchObject({ connections: { connecting: 0, idle: 0, leased: 0, closing: 0 }, waiters: 0 })
  })
})

describe('an exchange whose peer ends too soon', () => {
  test.each([
    ['line', 'half a line', null],
    ['until:;', 'half', null],
    ['exactly:9', 'half', 9],
    ['line', '', null],
    ['eof', '', null],
  ])('reads %s, gets %j, and is incomplete_read', async (read, reply, expected) => {
    const [answer] = await Promise.all([
      scripted.api.post('/v1/exchange', ask(read)),
      answering('ask', reply, true),
    ])
    expect(problemOf(answer)).toMatchObject({
      status: 502,
      code: 'incomplete_read',
      partial: Buffer.from(reply).toString('base64'),
      expected,
      bytesAccepted: 3,
      retryable: false,
    })
  })

  test('fails the command, with or without a service', async () => {
    const { service, upstream } = scripted
    const command = [process.execPath, CLI, 'exchange']
    const env = { SOCKPOOL_TOKEN: service.token ?? '' }
    const place = `${upstream.host}:${upstream.port}`
    for (const args of [['script', '--url', service.url], [place]]) {
      const [run] = await Promise.all([
        runCommand([...command, ...args], { stdin: 'ask', env }),
        answering('ask', 'half a line', true),
      ])
      expect([run.code, run.stdout]).toEqual([1, ''])
      expect(run.stderr).toContain('the peer ended after 11 bytes')
      expect(run.stderr).toContain('incomplete_read')
    }
  })
})

test('an exchange that is late may not be repeated, and names the time that it was given', async () => {
  const [answer] = await Promise.all([
    scripted.api.post('/v1/exchange', ask('line', { timeoutMs: 500 })),
    scripted.upstream.asking(3),
  ])
  expect(problemOf(answer)).toMatchObject({
    status: 504,
    code: 'read_timeout',
    bytesAccepted: 3,
    retryable: false,
    detail: 'readuntil() took longer than 500 ms',
  })
})
