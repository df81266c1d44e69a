/** `connectPool`: what needs no stream, against a running service. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { IncompleteReadError, LimitOverrunError, type SockpoolError } from '../../src/base/errors.ts'
import type { ConnectPoolOptions } from '../../src/client/client-options.ts'
import { connectPool } from '../../src/client/connect-pool.ts'
import type { RemoteLease } from '../../src/client/remote-lease.ts'
import type { RemotePool } from '../../src/client/remote-pool.ts'
import { useScriptedService } from '../support/scripted-service.ts'
import { refusingPort } from '../support/test-server.ts'
import type { Peer } from '../support/upstream.ts'

const scripted = useScriptedService(place => ({
  config: {
    limits: { bodyBytes: '64KiB', operationTimeout: '2s' },
    targets: {
      script: { ...place, pool: { max: 50 } },
      clean: { ...place, pool: { max: 1, leaseTtl: '1s' }, reuse: 'clean' },
      lines: { ...place, frame: 'line' },
      redis: { ...place, frame: 'resp' },
    },
  },
}))

function connect(options: ConnectPoolOptions = {}): RemotePool {
  const { url, token } = scripted.service
  const pool = connectPool(url, { ...(token !== null && { token }), ...options })
  onTestFinished(() => pool.close())
  return pool
}

async function answering(asked: string, reply: string | Uint8Array, thenEnd = false): Promise<void> {
  const peer = await scripted.upstream.asking(Buffer.byteLength(asked))
  if (thenEnd) peer.end(reply)
  else await peer.send(reply)
}

const peerOf = (lease: RemoteLease): Promise<Peer> => scripted.upstream.from(lease.connection.localPort)

const failure = (promise: Promise<unknown>): Promise<SockpoolError> =>
  promise.then(
    value => {
      throw new Error(`resolved with ${String(value)}`)
    },
    (error: SockpoolError) => error,
  )

describe('exchange', () => {
  test.each([
    [{ line: true } as const, 'a line\nrest', 'a line\n'],
    [{ until: ['--', Buffer.from([0xff]), ';'] } as const, 'a;b--', 'a;'],
    [{ until: ';' } as const, 'a;b;', 'a;'],
    [{ exactly: 3 } as const, 'abcdef', 'abc'],
    [{ none: true } as const, '', ''],
    [{ frame: 'crlf' } as const, 'a\nb\r\nc', 'a\nb\r\n'],
    [{ frame: { delimiter: Buffer.from([0x01]), max: 100 } } as const, 'ab\x01c', 'ab\x01'],
  ])('reads %j', async (read, sent, reply) => {
    const [answer] = await Promise.all([
      connect().exchange('script', { write: 'ask', read }),
      answering('ask', sent),
    ])
    expect(answer).toMatchObject({ reused: false, offset: 0, eof: false, ending: null })
    expect(answer.data).toEqual(Buffer.from(reply))
  })

  test('reads to the end, and says how that came', async () => {
    const asking = connect().exchange('script', { write: Buffer.from([0, 255]), read: { eof: true } })
    const peer = await scripted.upstream.asking(2)
    expect(await peer.received(2)).toEqual(Buffer.from([0, 255]))
    peer.end('all')
    expect(await asking).toMatchObject({ data: Buffer.from('all'), eof: true, ending: 'fin' })
  })

  test('goes by the frame of the target, and by counts of it', async () => {
    const pool = connect()
    const first = pool.exchange('lines', { write: 'ask\n' })
    const peer = await scripted.upstream.asking(4)
    await peer.send('one\n')
    expect(String((await first).data)).toBe('one\n')
    // The reply does not wait for its connection, and where it is not back another one is dialled.
    while ((await pool.targets()).find(({ name }) => name === 'lines')?.connections.idle !== 1);
    const both = pool.exchange('lines', { write: 'a\nb\n', read: { frames: 2 } })
    await peer.received(8)
    await peer.send('two\nthree\n')
    expect(await both).toMatchObject({ data: Buffer.from('two\nthree\n'), reused: true })
  })

  test('names an ad-hoc target as the library does, and hears why it may not be dialled', async () => {
    const error = await failure(
      connect().exchange({ host: '203.0.113.9', port: 1 }, { write: '', read: { line: true } }),
    )
    expect(error).toMatchObject({ code: 'TARGET_DENIED' })
    const odd = failure(connect().exchange({ path: '/run/a.sock' }, { write: '', read: { line: true } }))
    expect(await odd).toMatchObject({ code: 'INVALID_REQUEST' })
  })

  test('has the errors of the library: their classes and their fields', async () => {
    const pool = connect()
    const [cut] = await Promise.all([
      failure(pool.exchange('script', { write: 'ask', read: { exactly: 9 } })),
      answering('ask', 'part', true),
    ])
    expect(cut).toBeInstanceOf(IncompleteReadError)
    expect(cut).toMatchObject({
      code: 'INCOMPLETE_READ',
      partial: Buffer.from('part'),
      expected: 9,
      bytesAccepted: 3,
      retryable: false,
    })
    const [long] = await Promise.all([
      failure(pool.exchange('script', { write: 'ask', read: { line: true } })),
      answering('ask', Buffer.alloc(70_000, 'x')),
    ])
    expect(long).toBeInstanceOf(LimitOverrunError)
    expect((long as LimitOverrunError).consumed).toBeGreaterThan(65_000)
    expect(await failure(pool.exchange('nobody', { write: '', read: { line: true } }))).toMatchObject({
      code: 'TARGET_NOT_FOUND',
      status: 404,
    })
  })

  test('judges options before anything is sent, in the words of the library', async () => {
    const pool = connect()
    const { accepted } = scripted.upstream
    for (const [options, path] of [
      [{ write: 5, read: { line: true } }, 'write'],
      [{ write: '', read: {} }, 'read'],
      [{ write: '', read: { line: true }, timeoutMs: Number.NaN }, 'timeoutMs'],
    ] as const)
      expect(await failure(pool.exchange('script', options as never))).toMatchObject({
        code: 'INVALID_REQUEST',
        errors: [{ path }],
      })
    expect(await failure(pool.exchange('script', { write: '', tenant: 'x' }))).toMatchObject({
      code: 'UNSUPPORTED',
      status: 501,
    })
    expect(scripted.upstream.accepted).toBe(accepted)
  })

  test('ends by its time and by its signal', async () => {
    const pool = connect()
    const late = failure(pool.exchange('script', { write: 'a', read: { line: true }, timeoutMs: 60 }))
    await scripted.upstream.next()
    expect(await late).toMatchObject({ code: 'READ_TIMEOUT', bytesAccepted: 1 })
    const caller = new AbortController()
    const given = failure(
      pool.exchange('script', { write: 'a', read: { line: true }, signal: caller.signal }),
    )
    const peer = await scripted.upstream.asking(1)
    caller.abort('why')
    expect(await given).toMatchObject({ code: 'ABORTED', name: 'AbortError', cause: 'why' })
    // The service has heard of it.
    await peer.ended()
  })

  test('takes a time above the bound of the service for that bound', async () => {
    const asking = connect().exchange('script', { write: 'ask', read: { line: true }, timeoutMs: 60_000 })
    await answering('ask', 'answer\n')
    expect(String((await asking).data)).toBe('answer\n')
  })
})

describe('a lease', () => {
  test('has what the service says of it, and is given back once', async () => {
    const pool = connect()
    const lease = await pool.lease('clean', { ttlMs: 5_000 })
    expect(lease).toMatchObject({ target: 'clean', reused: false, gone: null })
    expect(lease.connection).toMatchObject({ remoteAddress: '127.0.0.1', tls: null })
    expect((lease.expiresAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(1_000)
    const before = lease.expiresAt?.getTime() ?? 0
    expect((await lease.renew(60_000))?.getTime()).toBeGreaterThan(before + 20_000)
    expect(await lease.renew(Number.POSITIVE_INFINITY)).toBeNull()
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    expect(lease.gone).toBe('released')
    expect(await failure(lease.renew())).toMatchObject({ code: 'LEASE_GONE', reason: 'released' })
    const again = await pool.lease('clean')
    expect(again.reused).toBe(true)
    expect(await again.discard()).toEqual({ outcome: 'closed', reason: 'discarded' })
  })

  test('outlives its ttl for as long as it is held', async () => {
    await using lease = await connect().lease('clean', { ttlMs: 200 })
    const until = performance.now() + 700
    await expect.poll(() => performance.now() > until, { timeout: 5_000 }).toBe(true)
    expect(await lease.renew(200)).toBeInstanceOf(Date)
  })

  test('is waited for: not at all, for so long, or until the signal', async () => {
    const pool = connect()
    await using _held = await pool.lease('clean')
    expect(await failure(pool.lease('clean', { waitMs: 0 }))).toMatchObject({ code: 'POOL_EXHAUSTED' })
    expect(await failure(pool.lease('clean', { waitMs: 50 }))).toMatchObject({
      code: 'WAIT_TIMEOUT',
      position: 1,
    })
    expect(await failure(pool.lease('clean', { timeoutMs: 50 }))).toMatchObject({ code: 'WAIT_TIMEOUT' })
    const caller = new AbortController()
    const waiting = failure(pool.lease('clean', { signal: caller.signal }))
    await expect.poll(async () => (await pool.stats()).waiters).toBe(1)
    caller.abort()
    expect(await waiting).toMatchObject({ code: 'ABORTED' })
    await expect.poll(async () => (await pool.stats()).waiters).toBe(0)
  })

  test('gives values that the service parsed, one by one to the end', async () => {
    await using lease = await connect().lease('script')
    const peer = await peerOf(lease)
    await peer.send('{"a":1}{"b":')
    expect(await lease.parse('json')).toEqual({ a: 1 })
    expect(await failure(lease.parse('json', undefined, { timeoutMs: 50 }))).toMatchObject({
      code: 'READ_TIMEOUT',
    })
    peer.end('2}\n[3]')
    const rest: unknown[] = []
    for await (const value of lease.messages('json')) rest.push(value)
    expect(rest).toEqual([{ b: 2 }, [3]])
    expect(await failure(lease.parse('nothing'))).toMatchObject({ code: 'FORMAT_NOT_FOUND' })
  })

  test('waits for a message beyond the bound of the service, where its caller sets none', async () => {
    await using lease = await connect().lease('script')
    const peer = await peerOf(lease)
    const parsing = lease.parse('json')
    await new Promise(resolve => setTimeout(resolve, 2_300))
    await peer.send('[1]')
    expect(await parsing).toEqual([1])
  })

  test('that is killed is gone, with the reason', async () => {
    const pool = connect()
    const lease = await pool.lease('script')
    expect(await pool.kill(lease.id)).toEqual({ killed: 'lease' })
    expect(await failure(lease.parse('json'))).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
    expect(lease.gone).toBe('killed')
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'killed' })
  })

  test('is used, and released where that goes well', async () => {
    const pool = connect()
    expect(await pool.use('clean', lease => lease.reused)).toBe(false)
    expect(await pool.use('clean', lease => lease.reused)).toBe(true)
    const thrown = pool.use('clean', () => {
      throw new RangeError('mine')
    })
    expect(await failure(thrown)).toBeInstanceOf(RangeError)
    expect(await pool.use('clean', lease => lease.reused)).toBe(false)
  })

  test('goes back when its pool is closed', async () => {
    const pool = connect()
    const lease = await pool.lease('script')
    const peer = await peerOf(lease)
    await pool.close()
    await peer.ended()
    expect(await failure(pool.lease('script'))).toMatchObject({ code: 'DRAINING' })
    expect(await failure(pool.stats())).toMatchObject({ code: 'DRAINING' })
  })
})

describe('the pool', () => {
  test('parses complete bytes', async () => {
    const pool = connect()
    expect(await pool.parse('ndjson', Buffer.from('{"a":1}\n[2]'))).toEqual([{ a: 1 }, [2]])
    expect(await failure(pool.parse('json', Buffer.from('[1,')))).toMatchObject({
      code: 'PARSE_FAILED',
      offset: 3,
    })
    expect(await failure(pool.parse('odd', Buffer.from('')))).toMatchObject({ code: 'FORMAT_NOT_FOUND' })
    expect(await failure(pool.parse('json', 'text' as never))).toBeInstanceOf(TypeError)
  })

  test('says what the service does', async () => {
    const pool = connect()
    const lease = await pool.lease('script')
    expect(await pool.stats()).toMatchObject({ leases: 1, waiters: 0 })
    expect((await pool.targets()).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['script', 'clean']),
    )
    expect((await pool.connections()).map(({ id }) => id)).toContain(lease.connection.id)
    expect(await pool.connection(lease.connection.id)).toMatchObject({
      id: lease.connection.id,
      operations: expect.any(Array),
    })
    expect(await pool.workers()).toContainEqual(expect.objectContaining({ kind: 'io' }))
    expect(await pool.kill(lease.connection.id)).toEqual({ killed: 'connection' })
    expect(await failure(pool.kill('c-none'))).toMatchObject({ code: 'CONNECTION_NOT_FOUND' })
  })

  test('has the verbs of an operator', async () => {
    const pool = connect()
    expect(await pool.pause('lines')).toMatchObject({ state: 'paused' })
    expect(await pool.resume('lines')).toMatchObject({ state: 'active' })
    expect(await pool.disable('lines')).toMatchObject({ state: 'disabled' })
    expect(await failure(pool.lease('lines'))).toMatchObject({ code: 'TARGET_PAUSED' })
    expect(await pool.enable('lines')).toMatchObject({ state: 'active' })
    expect(await pool.reconnect('lines')).toMatchObject({ state: 'active' })
    expect(await pool.waitClose('lines')).toMatchObject({ state: 'active' })
    expect(await pool.resize('lines', { max: 3 })).toMatchObject({ state: 'active' })
    expect(await failure(pool.resize('lines', { max: -1 }))).toMatchObject({ code: 'INVALID_REQUEST' })
    await using lease = await pool.lease('lines')
    const draining = pool.drain('lines')
    expect(await failure(pool.drain('lines', { timeoutMs: 50 }))).toMatchObject({ code: 'WAIT_TIMEOUT' })
    await lease.discard()
    expect(await draining).toMatchObject({ state: 'draining' })
    await pool.enable('lines')
    expect(await failure(pool.pause('nobody'))).toMatchObject({ code: 'TARGET_NOT_FOUND' })
    expect(await pool.reload()).toMatchObject({ ignored: [] })
  })

  test('says of what a service does not do for its callers that it is unsupported', async () => {
    const pool = connect()
    expect(await failure(pool.run())).toMatchObject({ code: 'UNSUPPORTED', status: 501 })
    expect(() => pool.handle).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
    await using lease = await pool.lease('script')
    expect(await failure(lease.run())).toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('is refused by what it is told that is wrong', () => {
    for (const url of ['', 'ftp://a', 'http://', 'http://a/?b', 'http://u:p@a', 'unix:', 5])
      expect(() => connectPool(url as string), String(url)).toThrow(
        expect.objectContaining({
          code: 'INVALID_REQUEST',
          errors: [expect.objectContaining({ path: 'url' })],
        }),
      )
    for (const options of [
      { token: 'a b' },
      { token: 5 },
      { tls: { ca: 5 } },
      { tls: { cert: 'a' } },
      { tls: { rejectUnauthorized: false } },
      { retry: true },
      { retry: { attempts: 0 } },
      { retry: { budgetMs: -1 } },
    ])
      expect(() => connectPool('https://a', options as never), JSON.stringify(options)).toThrow(
        expect.objectContaining({ code: 'INVALID_REQUEST' }),
      )
    expect(() => connectPool('http://a', { tls: {} })).toThrow('https:')
  })
})

describe('a service', () => {
  test('that nobody listens for is unreachable, after as many tries as were allowed', async () => {
    const url = `http://127.0.0.1:${await refusingPort()}`
    const pool = connectPool(url)
    onTestFinished(() => pool.close())
    for (const call of [
      () => pool.lease('a'),
      () => pool.exchange('a', { write: '', read: { line: true } }),
      () => pool.stats(),
    ])
      expect(await failure(call())).toMatchObject({
        code: 'SERVICE_UNREACHABLE',
        reason: 'ECONNREFUSED',
        retryable: true,
        bytesAccepted: 0,
      })
  })

  test.each([
    ['an exchange', 1, (pool: RemotePool) => pool.exchange('a', { write: '', read: { line: true } })],
    ['a lease', 3, (pool: RemotePool) => pool.lease('a')],
    ['a look', 3, (pool: RemotePool) => pool.stats()],
  ])('that breaks off is asked again for %s where that does no harm: %i', async (_what, tries, call) => {
    let asked = 0
    const keys = new Set<unknown>()
    const server = createServer((request, response) => {
      asked++
      keys.add(request.headers['idempotency-key'])
      response.destroy()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const pool = connectPool(`http://127.0.0.1:${port}`)
    onTestFinished(() => pool.close())
    expect(await failure(call(pool))).toMatchObject({ code: 'SERVICE_UNREACHABLE' })
    expect([asked, keys.size]).toEqual([tries, 1])
    asked = 0
    const once_ = connectPool(`http://127.0.0.1:${port}`, { retry: false })
    onTestFinished(() => once_.close())
    await failure(call(once_))
    expect(asked).toBe(1)
  })

  test('whose place somebody else answers in is unreachable', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const pool = connectPool(new URL(`http://127.0.0.1:${port}/behind/`))
    onTestFinished(() => pool.close())
    expect(await failure(pool.stats())).toMatchObject({ code: 'SERVICE_UNREACHABLE', reason: 'http_502' })
  })

  test('lets nobody in without its token', async () => {
    expect(await failure(connectPool(scripted.service.url).stats())).toMatchObject({ code: 'UNAUTHORIZED' })
    expect(await failure(connect({ token: 'wrong' }).stats())).toMatchObject({ code: 'UNAUTHORIZED' })
  })
})
