/** Replies that end as their protocol says: in exchanges, on leases, and what becomes of a connection that breaks its frame. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { jsonOf, problemOf } from '../support/api.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import { CLI, runCommand, startServiceProcess } from '../support/service-process.ts'
import { findService } from '../support/services.ts'

const scripted = useScriptedService(place => ({
  config: {
    limits: { bodyBytes: '64KiB' },
    targets: {
      plain: { ...place, pool: { max: 50 } },
      framed: { ...place, pool: { max: 50 }, frame: 'resp', reuse: 'never' },
      marked: {
        ...place,
        pool: { max: 50 },
        reuse: 'never',
        frame: { delimiter: { start: '<', end: '>' }, max: '1KiB' },
      },
    },
  },
}))

const ask = (target: string, read?: unknown, more: object = {}) => ({
  json: { target, write: { text: 'ask\r\n' }, ...(read === undefined ? {} : { read }), ...more },
})

/** The next connection answers as soon as it has been asked, in these pieces, and ends where it is told to. */
async function answering(pieces: readonly (string | Uint8Array)[], thenEnd = false): Promise<void> {
  const peer = await scripted.upstream.asking('ask\r\n'.length)
  for (const piece of pieces) await peer.send(piece)
  if (thenEnd) peer.end()
}

describe('POST /v1/exchange', () => {
  test.each([
    [undefined, 'framed', ['$3\r\na\r', '\n\r\nrest'], '$3\r\na\r\n\r\n'],
    ['frame', 'framed', ['*2\r\n+OK\r\n', ':1\r\n'], '*2\r\n+OK\r\n:1\r\n'],
    [{ frame: true }, 'marked', ['<a', 'b>c'], '<ab>'],
    ['frame:resp', 'plain', ['+OK\r\n'], '+OK\r\n'],
    [{ frame: { lengthField: { bytes: 2, adjust: 1 } } }, 'plain', ['\0\x03', 'abcde'], '\0\x03abcd'],
    [{ frame: { delimiter: { hex: '00' } } }, 'plain', ['a', 'b\0'], 'ab\0'],
    ['frames:3', 'framed', ['+A\r\n+B', '\r\n+C\r\n+D\r\n'], '+A\r\n+B\r\n+C\r\n'],
    // What answers nobody is passed over.
    ['frames:2', 'framed', ['+A\r\n>1\r\n+news\r\n+B\r\n'], '+A\r\n+B\r\n'],
  ])('reads %j of %s', async (read, target, pieces, reply) => {
    const answer = scripted.api.post('/v1/exchange', ask(target, read))
    const [{ status, text }] = await Promise.all([answer, answering(pieces)])
    expect([status, text]).toEqual([200, reply])
  })

  test('needs to be told how the reply of a target without a frame ends, before anything is dialled', async () => {
    for (const read of [undefined, 'frame', { frame: true }, 'frames:2']) {
      const problem = problemOf(await scripted.api.post('/v1/exchange', ask('plain', read)))
      expect(problem).toMatchObject({ status: 400, code: 'invalid_request', bytesAccepted: 0 })
      expect(problem['errors']).toMatchObject([{ path: 'read' }])
    }
  })

  test.each([
    ['no message', ['?\r\n'], false, 502, 'frame_broken'],
    ['half a message', ['$5\r\nhel'], true, 502, 'incomplete_read'],
    ['one of three messages', ['+A\r\n+'], true, 502, 'incomplete_read'],
    [
      'more than the service holds',
      [`$65536\r\n${'x'.repeat(65_536)}\r\n+B\r\n+C\r\n`],
      false,
      413,
      'limit_overrun',
    ],
  ])('%s is a failure of its own, and is not to be retried', async (_what, pieces, thenEnd, status, code) => {
    const answer = scripted.api.post('/v1/exchange', ask('framed', 'frames:3'))
    const [problem] = await Promise.all([answer.then(problemOf), answering(pieces, thenEnd)])
    expect(problem).toMatchObject({ status, code, bytesAccepted: 5, retryable: false })
  })

  test('a message longer than its frame allows is refused when that is known, and closes the connection', async () => {
    const answer = scripted.api.post('/v1/exchange', ask('marked'))
    const peer = await scripted.upstream.asking('ask\r\n'.length)
    await peer.send(`<${'x'.repeat(1_100)}`)
    expect(problemOf(await answer)).toMatchObject({ status: 413, code: 'limit_overrun' })
    await peer.ended()
  })
})

describe('POST /v1/leases/{id}/readframe', () => {
  test('reads message after message, of the own frame or of a named one', async () => {
    const { lease, peer } = await scripted.leased('framed')
    await peer.send('$2\r\nhi\r\nline\r\n+OK\r\n')
    expect((await lease.call('readframe')).text).toBe('$2\r\nhi\r\n')
    expect((await lease.call('readframe?frame=crlf')).text).toBe('line\r\n')
    const last = await lease.call('readframe?frame=resp')
    expect([last.text, last.headers.get('sockpool-offset')]).toEqual(['+OK\r\n', '14'])
  })

  test('judges before it waits', async () => {
    const { lease } = await scripted.leased('plain')
    for (const query of ['', '?frame=redis', '?frame={"fixed":1}', '?frame=resp&n=1'])
      expect(problemOf(await lease.call(`readframe${query}`))).toMatchObject({ status: 400 })
  })

  test('takes a frame in its body, by its name or described', async () => {
    const { lease, peer } = await scripted.leased('framed')
    await peer.send('\0\x02hi<a>line\r\n+OK\r\n')
    const call = async (frame: unknown): Promise<string> =>
      (await lease.call('readframe', { json: { frame } })).text
    expect(await call({ lengthField: { bytes: 2 } })).toBe('\0\x02hi')
    expect(await call({ delimiter: { start: '<', end: { hex: '3e' } } })).toBe('<a>')
    expect(await call('crlf')).toBe('line\r\n')
    expect((await lease.call('readframe', { json: {} })).text).toBe('+OK\r\n')
    for (const [query, json] of [
      ['', { frame: { fixed: 0 } }],
      ['', { frame: { module: 'file:///frame.mjs' } }],
      ['', { fixed: 1 }],
      ['?frame=resp', { frame: 'resp' }],
    ] as const)
      expect(problemOf(await lease.call(`readframe${query}`, { json }))).toMatchObject({ status: 400 })
  })

  test('leaves what has come of a message when its time is up', async () => {
    const { lease, peer } = await scripted.leased('framed')
    await peer.send('$2\r\nh')
    expect(problemOf(await lease.call('readframe?timeoutMs=50'))).toMatchObject({ code: 'read_timeout' })
    await peer.send('i\r\n')
    expect((await lease.call('readframe')).text).toBe('$2\r\nhi\r\n')
  })

  test('closes the connection of a message that is none', async () => {
    const { lease, peer } = await scripted.leased('framed')
    await peer.send('?what\r\n')
    expect(problemOf(await lease.call('readframe'))).toMatchObject({ status: 502, code: 'frame_broken' })
    await peer.ended()
    expect(jsonOf(await lease.release())).toMatchObject({ outcome: 'closed' })
  })
})

test('a real Redis is asked in one call for what no line ends', async ({ skip }) => {
  const place = await findService('redis', skip)
  const service = await startServiceProcess({ config: { targets: { cache: { ...place, frame: 'resp' } } } })
  onTestFinished(() => service.stop())
  const key = `sockpool:frames:${process.pid}`
  const value = `a\r\n${'ü'.repeat(40_000)}`
  const exchange = (text: string, read?: string) =>
    service.api.post('/v1/exchange', { json: { target: 'cache', write: { text }, ...(read && { read }) } })
  const bulk = `$${Buffer.byteLength(value)}\r\n${value}\r\n`
  const set = await exchange(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n${bulk}`)
  expect(set.text).toBe('+OK\r\n')
  const got = await exchange(`GET ${key}\r\n`)
  expect(got.text).toBe(bulk)
  expect(got.headers.get('sockpool-reused')).toBe('true')
  const piped = await exchange(`EXISTS ${key}\r\nDEL ${key}\r\nGET ${key}\r\n`, 'frames:3')
  expect(piped.text).toBe(':1\r\n:1\r\n$-1\r\n')
})

test('the command reads a frame by a dial of its own', async ({ skip }) => {
  const { host, port } = await findService('redis', skip)
  const command = [process.execPath, CLI, 'exchange', `${host}:${port}`, '--read', 'frame:resp']
  const { code, stdout } = await runCommand(command, { stdin: 'ECHO sockpool\r\n' })
  expect([code, stdout]).toEqual([0, '$8\r\nsockpool\r\n'])
})
