import { describe, expect, test } from 'vitest'
import { IncompleteReadError, SockpoolError } from '../../../src/base/errors.ts'
import { DEV_TOKEN, harness } from './fakes.ts'

const json = (payload: object, url = '/v1/exchange') => ({ method: 'POST', url, payload }) as const
const bytes = (query: string, payload: string | Buffer, type = 'application/octet-stream') =>
  ({ method: 'POST', url: `/v1/exchange${query}`, payload, headers: { 'content-type': type } }) as const
const ping = { target: 'cache', write: { text: 'PING\r\n' }, read: 'line' }
const line = Buffer.from('\n')

describe('POST /v1/exchange', () => {
  test('takes JSON and answers bytes with their facts in headers', async () => {
    const { send, pool } = harness()
    const reply = await send(json({ ...ping, timeoutMs: 50 }))
    expect(reply.statusCode).toBe(200)
    expect(reply.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'sockpool-offset': '0',
      'sockpool-eof': 'false',
      'sockpool-reused': 'true',
    })
    expect(reply.body).toBe('pong\n')
    expect(pool.exchanges).toMatchObject([
      { target: 'cache', write: Buffer.from('PING\r\n'), read: { line: true }, timeoutMs: 50, tenant: 'ops' },
    ])
  })

  test('answers JSON on request', async () => {
    const { send } = harness()
    const reply = await send({
      ...json(ping, '/v1/exchange?encoding=hex'),
      headers: { accept: 'application/json' },
    })
    expect(reply.json()).toEqual({ data: '706f6e670a', encoding: 'hex', offset: 0, eof: false, reused: true })
  })

  test.each(['application/octet-stream', 'text/plain', 'application/x-www-form-urlencoded'])(
    'takes bytes of type %s with the rest in the query',
    async type => {
      const { send, pool } = harness()
      const reply = await send(bytes('?target=cache&read=exactly:5&timeoutMs=9', Buffer.from([0, 255]), type))
      expect(reply.statusCode).toBe(200)
      expect(pool.exchanges).toMatchObject([
        { target: 'cache', write: Buffer.from([0, 255]), read: { exactly: 5 }, timeoutMs: 9 },
      ])
    },
  )

  test('takes no body as no bytes', async () => {
    const { send, pool } = harness()
    await send({ method: 'POST', url: '/v1/exchange?target=cache&read=none' })
    expect(pool.exchanges).toMatchObject([{ write: Buffer.alloc(0), read: { none: true }, timeoutMs: 5_000 }])
  })

  test.each<[unknown, object]>([
    ['line', { line: true }],
    [{ line: true }, { line: true }],
    ['eof', { eof: true }],
    [{ eof: true }, { eof: true }],
    ['none', { none: true }],
    [{ none: true }, { none: true }],
    ['exactly:0', { exactly: 0 }],
    [{ exactly: 12 }, { exactly: 12 }],
    ['until:\r\n', { until: [Buffer.from('\r\n')] }],
    ['until:a:b', { until: [Buffer.from('a:b')] }],
    [{ until: '\n' }, { until: [line] }],
    [{ until: ['\n', 'END'] }, { until: [line, Buffer.from('END')] }],
  ])('understands read %j', async (read, spec) => {
    const { send, pool } = harness()
    expect((await send(json({ ...ping, read }))).statusCode).toBe(200)
    const [exchange] = pool.exchanges
    expect(JSON.stringify(exchange?.read, bytesAsArrays)).toBe(JSON.stringify(spec, bytesAsArrays))
  })

  test('understands read in the query, percent-encoded, and binary separators', async () => {
    const { send, pool } = harness()
    await send(bytes('?target=cache&read=until:%0D%0A', 'x'))
    await send(bytes('?target=cache&read=until:ff00&separatorEncoding=hex', 'x'))
    await send(json({ ...ping, read: { until: ['/wA='] }, separatorEncoding: 'base64' }))
    const separators = pool.exchanges.map(({ read }) => (read && 'until' in read ? read.until : null))
    expect(separators).toEqual([[Uint8Array.of(13, 10)], [Uint8Array.of(255, 0)], [Uint8Array.of(255, 0)]])
  })

  test.each<[unknown]>([
    [''],
    ['lines'],
    ['exactly:'],
    ['exactly:-1'],
    ['exactly:1.5'],
    ['exactly:100001'],
    [5],
    [{}],
    [{ line: true, eof: true }],
    ['frames:0'],
    ['frames:10001'],
    ['frames:x'],
    [{ exactly: 100_001 }],
  ])('refuses read %j at its field', async read => {
    const { send, pool } = harness()
    const problem = (await send(json({ ...ping, read }))).json()
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ path: 'read' }] })
    expect(problem).toMatchObject({ bytesDelivered: 0, bytesAccepted: 0, retryable: false })
    expect(pool.exchanges).toHaveLength(0)
  })

  test.each([
    ['frame:', 'read'],
    ['frame:redis', 'read'],
    [{ frame: 'redis' }, 'read.frame'],
    [{ frame: { lengthField: { bytes: 9 } } }, 'read.frame.lengthField.bytes'],
    [{ frame: { module: 'file:///frame.mjs' } }, 'read.frame.module'],
    [{ frames: 0 }, 'read.frames'],
  ])('refuses the frame of %j', async (read, path) => {
    const { send, pool } = harness()
    const problem = (await send(json({ ...ping, read }))).json()
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(problem.errors[0].path).toMatch(path)
    expect(pool.exchanges).toHaveLength(0)
  })

  test.each([
    [undefined, undefined],
    ['frame', { frame: true }],
    [{ frame: true }, { frame: true }],
    ['frame:resp', { frame: 'resp' }],
    [{ frame: 'resp' }, { frame: 'resp' }],
    ['frames:3', { frames: 3 }],
    [{ frames: 3 }, { frames: 3 }],
  ])('understands read %j as messages', async (read, spec) => {
    const { send, pool } = harness()
    expect((await send(json({ ...ping, read }))).statusCode).toBe(200)
    if (typeof read === 'string') await send(bytes(`?target=cache&read=${read}`, 'x'))
    for (const exchange of pool.exchanges) expect(exchange.read).toEqual(spec)
  })

  test.each([['until:'], [{ until: [] }], [{ until: [''] }], [{ until: 'x'.repeat(65) }]])(
    'refuses the separator of %j before it dials',
    async read => {
      const { send, pool } = harness()
      expect((await send(json({ ...ping, read }))).json()).toMatchObject({
        status: 400,
        code: 'invalid_separator',
      })
      expect(pool.exchanges).toHaveLength(0)
    },
  )

  test.each<[object, string]>([
    [{ ...ping, write: {} }, 'write'],
    [{ ...ping, write: { text: 'a', base64: 'b' } }, 'write'],
    [{ ...ping, write: 'PING' }, 'write'],
    [{ ...ping, write: { text: 1 } }, 'write.text'],
    [{ ...ping, write: { text: '\udc00' } }, 'write.text'],
    [{ ...ping, write: { base64: 'a' } }, 'write.base64'],
    [{ ...ping, timeoutMs: 5_001 }, 'timeoutMs'],
    [{ ...ping, target: { host: ['a'], port: 1 } }, 'target.host'],
    [{ target: 'cache', read: 'line' }, 'write'],
    [{ ...ping, reed: 'line' }, 'reed'],
  ])('refuses %j', async (payload, path) => {
    const { send } = harness()
    const problem = (await send(json(payload))).json()
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(problem.errors.map((error: { path: string }) => error.path)).toEqual([path])
  })

  test.each([
    [bytes('?read=line', 'x'), 400, 'invalid_request'],
    [bytes('?target=cache&read=line&timeoutMs=x', 'x'), 400, 'invalid_request'],
    [bytes('', JSON.stringify(ping), 'text/plain'), 415, 'unsupported_media_type'],
    [bytes('?target=cache&read=line', Buffer.alloc(100_001)), 413, 'body_too_large'],
    [bytes('', '{', 'application/json'), 400, 'invalid_request'],
    [bytes('?target=cache', JSON.stringify(ping), 'application/json'), 400, 'invalid_request'],
  ])('refuses misplaced requests (%#)', async (request, status, code) => {
    const { send } = harness()
    const reply = await send(request)
    expect([reply.statusCode, reply.json().code]).toEqual([status, code])
  })

  test('passes on what the pool says, with its counts and partial bytes', async () => {
    const { send, pool } = harness()
    pool.failure = new IncompleteReadError(Buffer.from('po'), null, { bytesAccepted: 6 })
    expect((await send(json(ping))).json()).toMatchObject({
      status: 502,
      code: 'incomplete_read',
      partial: 'cG8=',
      expected: null,
      bytesDelivered: 2,
      bytesAccepted: 6,
    })
    pool.failure = new SockpoolError('INVALID_REQUEST', 'bad', {
      errors: [{ path: 'tls.ca', message: 'no PEM' }],
    })
    const adHoc = { ...ping, target: { host: 'a', port: 1, tls: { ca: 'x' } } }
    expect((await send(json(adHoc))).json().errors).toEqual([{ path: 'target.tls.ca', message: 'no PEM' }])
  })

  test('needs a token with the target, and a service that does not drain', async () => {
    const { send } = harness()
    const asDev = { authorization: `Bearer ${DEV_TOKEN}` }
    const foreign = await send({ ...json({ ...ping, target: 'other' }), headers: asDev })
    expect([foreign.statusCode, foreign.json().code]).toEqual([403, 'forbidden'])
    const adHoc = await send({ ...json({ ...ping, target: { host: 'a', port: 1 } }), headers: asDev })
    expect(adHoc.statusCode).toBe(403)
    const draining = harness({ isClosing: () => true })
    expect((await draining.send(json(ping))).json().code).toBe('draining')
  })
})

function bytesAsArrays(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array
    ? [...value]
    : (value as { type?: string; data?: unknown })?.type === 'Buffer'
      ? (value as { data: unknown }).data
      : value
}
