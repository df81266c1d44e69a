/** Leases of `connectPool` with their streams, against a running service, over ways that break. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { SockpoolError } from '../../src/base/errors.ts'
import type { ConnectPoolOptions } from '../../src/client/client-options.ts'
import { connectPool } from '../../src/client/connect-pool.ts'
import type { RemoteLease } from '../../src/client/remote-lease.ts'
import type { RemotePool } from '../../src/client/remote-pool.ts'
import { afterFile } from '../support/after-file.ts'
import { collectUntil, warningsNamed } from '../support/collect-garbage.ts'
import { FailingWay } from '../support/failing-way.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'
import { type Peer, startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
let service: ServiceFixture

const configOf = ({ host, port }: Upstream): Record<string, unknown> => ({
  egress: { allow: ['127.0.0.0/8'] },
  // Whatever port a proxy has.
  http: { hosts: ['127.0.0.1'] },
  targets: {
    script: { host, port, pool: { max: 50 } },
    clean: { host, port, pool: { max: 5 }, reuse: 'clean' },
    lines: { host, port, frame: 'line' },
  },
})

beforeAll(async () => {
  upstream = await startUpstream()
  afterFile(() => upstream.close())
  service = await startServiceFixture({ config: configOf(upstream), finally: afterFile })
})

function connect(options: ConnectPoolOptions & { readonly url?: string } = {}): RemotePool {
  const { url = service.url, ...rest } = options
  const pool = connectPool(url, { ...(service.token !== null && { token: service.token }), ...rest })
  onTestFinished(() => pool.close())
  return pool
}

async function proxied(port: number = service.port): Promise<FailingWay> {
  const proxy = await FailingWay.start(port)
  onTestFinished(() => proxy.close())
  return proxy
}

const peerOf = (lease: RemoteLease): Promise<Peer> => upstream.from(lease.connection.localPort)

const failure = (promise: Promise<unknown>): Promise<SockpoolError> =>
  promise.then(
    value => {
      throw new Error(`resolved with ${String(value)}`)
    },
    (error: SockpoolError) => error,
  )

describe('the stream of a lease', () => {
  test('is opened when somebody needs it, and leaves a connection that serves again', async () => {
    const pool = connect()
    const lease = await pool.lease('clean')
    const peer = await peerOf(lease)
    lease.writer.write('ask\n')
    await peer.received(4)
    await peer.send('answer\nrest\n')
    expect(String(await lease.reader.readLine())).toBe('answer\n')
    expect(String(await lease.reader.readExactly(5))).toBe('rest\n')
    expect([lease.reader.offset, lease.writer.offset]).toEqual([12, 4])
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    const again = await pool.lease('clean')
    expect([again.reused, again.connection.localPort]).toEqual([true, lease.connection.localPort])
    await again.discard()
    for (const call of [() => lease.reader.read(1), () => lease.writer.drain(), () => lease.parse('json')])
      expect(await failure(call())).toMatchObject({ code: 'LEASE_GONE', reason: 'released' })
    expect(() => lease.writer.write('x')).toThrow(expect.objectContaining({ code: 'LEASE_GONE' }))
  })

  test.each([
    ['unread', async ({ reader }: RemoteLease) => void (await reader.read(1))],
    [
      'timed_out',
      async ({ reader }: RemoteLease) => void (await failure(reader.readExactly(99, { timeoutMs: 5 }))),
    ],
    [
      'unread',
      async ({ reader }: RemoteLease) => {
        await reader.read(1)
        reader.unread(Buffer.from('x'))
      },
    ],
    [
      'half_closed',
      async ({ reader, writer }: RemoteLease) => {
        writer.writeEof()
        await reader.read(100)
      },
    ],
  ])('that leaves it %s has the connection closed', async (reason, use) => {
    const lease = await connect().lease('clean')
    const peer = await peerOf(lease)
    lease.writer.write('a')
    await peer.received(1)
    await peer.send('two bytes')
    await until('they came', () => lease.reader.buffered === 9)
    await use(lease)
    expect(await lease.release()).toEqual({ outcome: 'closed', reason })
  })

  test('is as far as its holder when the service reads: parse, readFrame, and reads in turn', async () => {
    const lease = await connect().lease('lines')
    const peer = await peerOf(lease)
    const { reader, writer } = lease
    for (let round = 0; round < 5; round++) {
      writer.write(`ask ${round}\n`)
      await peer.received((round + 1) * 6)
      await peer.send(`line\n{"round":${round}}\nframe\npeeked,rest\n[1]{"unread":true}\n`)
      expect(String(await reader.readLine())).toBe('line\n')
      expect(await lease.parse('ndjson')).toEqual({ round })
      expect(String(await reader.readFrame())).toBe('frame\n')
      expect(String(await reader.peek(6))).toBe('peeked')
      expect(String(await reader.readFrame('line'))).toBe('peeked,rest\n')
      reader.unread(await reader.readExactly(2))
      expect(await lease.parse('json')).toEqual([1])
      expect(await lease.parse('ndjson')).toEqual({ unread: true })
    }
    expect(reader.offset).toBe(
      5 * Buffer.byteLength('line\n{"round":0}\nframe\npeeked,rest\n[1]{"unread":true}\n'),
    )
    // The frame of the target counts requests and answers, of which there were more.
    expect((await lease.release()).outcome).toBe('closed')
  })

  test('has no message parsed behind bytes that were put back and never came', async () => {
    await using lease = await connect().lease('script')
    const peer = await peerOf(lease)
    await peer.send('abc[1]')
    await lease.reader.readExactly(3)
    lease.reader.unread(Buffer.from('xyz'))
    expect(await failure(lease.parse('json'))).toMatchObject({ code: 'UNSUPPORTED' })
    expect(String(await lease.reader.readExactly(3))).toBe('xyz')
    expect(await lease.parse('json')).toEqual([1])
  })

  test('keeps one read at a time, and gives up on a read or a parse without losing a byte', async () => {
    await using lease = await connect().lease('script')
    const peer = await peerOf(lease)
    const waiting = lease.reader.readLine()
    expect(await failure(lease.parse('json'))).toMatchObject({ code: 'READ_BUSY' })
    expect(await failure(lease.writer.startTls())).toMatchObject({ code: 'READ_BUSY' })
    await peer.send('a\n')
    expect(String(await waiting)).toBe('a\n')
    const caller = new AbortController()
    const reading = failure(lease.reader.readExactly(6, { signal: caller.signal }))
    await peer.send('[1')
    caller.abort('why')
    expect(await reading).toMatchObject({ code: 'ABORTED', cause: 'why' })
    const parsing = new AbortController()
    const parse = failure(lease.parse('json', undefined, { signal: parsing.signal }))
    setImmediate(() => parsing.abort('no'))
    expect(await parse).toMatchObject({ code: 'ABORTED', cause: 'no' })
    await peer.send(',2]')
    expect(await lease.parse('json')).toEqual([1, 2])
  })

  test('carries on from plain text to TLS', async () => {
    const certificate = await testCertificate()
    const lease = await connect().lease('clean')
    const peer = await peerOf(lease)
    lease.writer.write('STARTTLS\n')
    await peer.received(9)
    await peer.send('ready\n')
    await lease.reader.readLine()
    peer.socket.removeAllListeners('data')
    const secured = new TLSSocket(peer.socket, { isServer: true, ...certificate })
    secured.pipe(secured)
    await lease.writer.startTls({ servername: 'localhost', ca: Buffer.from(certificate.cert) })
    expect(lease.writer.getExtraInfo('ssl')).toMatchObject({ authorized: true })
    expect(lease.connection.tls).toMatchObject({ servername: 'localhost' })
    lease.writer.write('secret\n')
    expect(String(await lease.reader.readLine())).toBe('secret\n')
    expect(await lease.release()).toMatchObject({ outcome: 'closed' })
  })

  test('becomes a pair of web streams, or a duplex', async () => {
    const pool = connect()
    const web = await pool.lease('script')
    const peer = await peerOf(web)
    const { readable, writable } = web.toWeb()
    const sender = writable.getWriter()
    await sender.write('over\n')
    await peer.received(5)
    peer.end('and out')
    expect(await new Response(readable).text()).toBe('and out')
    await sender.close()
    await peer.ended()
    const other = await pool.lease('script')
    const far = await peerOf(other)
    const duplex = other.toDuplex()
    duplex.write('ping')
    await far.received(4)
    await far.send('pong')
    const [pong] = await once(duplex, 'data')
    expect(String(pong)).toBe('pong')
    duplex.destroy()
    await far.ended()
  })

  test('of a lease that its program has lost goes with the lease', async () => {
    const warnings = warningsNamed('ResourceWarning')
    const pool = connect()
    const lose = async (): Promise<Peer> => {
      const lease = await pool.lease('script')
      lease.writer.write('a')
      const peer = await peerOf(lease)
      await peer.received(1)
      return peer
    }
    const peer = await lose()
    let hasEnded = false
    void peer.ended().then(() => {
      hasEnded = true
    })
    await collectUntil('the lease was given back', () => hasEnded)
    expect(warnings).toEqual([expect.stringContaining('unreleased <Lease of script>')])
  })
})

describe('a stream that is cut', () => {
  const BYTES = 1_500_000
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

  test.each([1, 2])('at random places goes on, and all bytes are there, both ways: %i', async seed => {
    let state = seed * 7_919
    const random = (): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return state / 2 ** 31
    }
    const proxy = await proxied()
    const pool = connect({ url: proxy.url, retry: { attempts: 20, budgetMs: 30_000 } })
    const lease = await pool.lease('script')
    const peer = await peerOf(lease)
    proxy.cutAfter(() => Math.floor(2_000 + random() * 400_000))
    const [down, up] = [randomBytes(BYTES), randomBytes(BYTES)]
    const { reader, writer } = lease
    const sending = (async () => {
      for (let at = 0; at < BYTES; at += 50_000) {
        writer.write(up.subarray(at, at + 50_000))
        await writer.drain()
      }
    })()
    void peer.send(down)
    const got: Buffer[] = []
    for (let length = 0; length < BYTES; ) {
      const some = await reader.read(1 + Math.floor(random() * 100_000))
      got.push(some)
      length += some.length
    }
    await sending
    const received = await peer.received(BYTES)
    expect([sha256(Buffer.concat(got)), sha256(received)]).toEqual([sha256(down), sha256(up)])
    expect(proxy.cuts).toBeGreaterThan(3)
    proxy.cutAfter(() => Number.POSITIVE_INFINITY)
    await peer.send('last')
    proxy.cutAll()
    expect(String(await reader.readExactly(4))).toBe('last')
    peer.end()
    expect(await reader.read()).toHaveLength(0)
    writer.writeEof()
    await peer.ended()
    await writer.waitClosed()
    await lease.release()
  })

  test('goes on for a parse and a release too', async () => {
    const proxy = await proxied()
    const pool = connect({ url: proxy.url })
    const lease = await pool.lease('clean')
    const peer = await peerOf(lease)
    lease.writer.write('ask\n')
    await peer.received(4)
    await peer.send('line\n{"a":1}\n')
    expect(String(await lease.reader.readLine())).toBe('line\n')
    proxy.cutAll()
    expect(await lease.parse('ndjson')).toEqual({ a: 1 })
    lease.writer.write('more\n')
    await peer.received(9)
    await peer.send('x')
    await lease.reader.readExactly(1)
    proxy.cutAll()
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  })

  test('loses no message that was parsed, and has none parsed twice, wherever answers are lost', async () => {
    const way = await FailingWay.start(service.port)
    onTestFinished(() => way.close())
    const pool = connect({ url: way.url, retry: { attempts: 50, budgetMs: 30_000 } })
    const lease = await pool.lease('script')
    const peer = await peerOf(lease)
    let next = 0
    way.cutAfter(() => 300 + ((next++ * 397) % 1_500))
    way.cutAll()
    await peer.send(Array.from({ length: 20 }, (_, at) => `{"at":${at}}\n`).join(''))
    const values: unknown[] = []
    while (values.length < 20) values.push(await lease.parse('ndjson'))
    expect(values).toEqual(Array.from({ length: 20 }, (_, at) => ({ at })))
    expect(way.cuts).toBeGreaterThan(5)
    way.cutAfter(() => Number.POSITIVE_INFINITY)
    await lease.discard()
  })

  test('ends where nobody answers any more, when its tries are over', async () => {
    const proxy = await proxied()
    const pool = connect({ url: proxy.url, retry: { attempts: 2 } })
    const lease = await pool.lease('script')
    const reading = failure(lease.reader.readLine())
    await until('it was opened', () => lease.reader.isWaiting)
    await (await peerOf(lease)).send('part')
    await until('they came', () => lease.reader.buffered === 4)
    proxy.refuse(true)
    expect(await reading).toMatchObject({ code: 'SERVICE_UNREACHABLE' })
    expect(await failure(lease.writer.drain())).toMatchObject({ code: 'SERVICE_UNREACHABLE' })
    expect(await lease.release()).toMatchObject({ outcome: 'closed' })
  })

  test('ends at the first cut where it may not be tried again', async () => {
    const proxy = await proxied()
    const lease = await connect({ url: proxy.url, retry: false }).lease('script')
    await (await peerOf(lease)).send('a')
    expect(String(await lease.reader.read(1))).toBe('a')
    const reading = failure(lease.reader.read(1))
    proxy.cutAll()
    expect(await reading).toMatchObject({ code: 'SERVICE_UNREACHABLE' })
  })

  test('hears of a lease that expired meanwhile', async () => {
    const proxy = await proxied()
    const pool = connect({ url: proxy.url, retry: { attempts: 50, budgetMs: 20_000 } })
    const lease = await pool.lease('script', { ttlMs: 150 })
    const reading = failure(lease.reader.readLine())
    const peer = await peerOf(lease)
    await peer.send('part')
    await until('they came', () => lease.reader.buffered === 4)
    proxy.refuse(true)
    await peer.ended()
    proxy.refuse(false)
    expect(await reading).toMatchObject({ code: 'LEASE_GONE', reason: 'expired' })
    expect(lease.gone).toBe('expired')
  })
})

describe('the end of a lease', () => {
  test('by a kill is heard by a read that waits', async () => {
    const pool = connect()
    const lease = await pool.lease('script')
    const reading = failure(lease.reader.readLine())
    await (await peerOf(lease)).send('part')
    await until('they came', () => lease.reader.buffered === 4)
    await pool.kill(lease.id)
    expect(await reading).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
    expect(lease.gone).toBe('killed')
    expect(await failure(lease.renew())).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
  })

  test('by a reset comes after the bytes before it', async () => {
    const lease = await connect().lease('script')
    const peer = await peerOf(lease)
    await peer.send('last words\n')
    await until('they came', () => lease.reader.buffered === 11)
    peer.reset()
    await until('it broke', () => lease.reader.exception() !== null)
    expect(String(await lease.reader.readLine())).toBe('last words\n')
    expect(await failure(lease.reader.readLine())).toMatchObject({ code: 'CONNECTION_RESET' })
    expect(lease.reader.ending).toBe('reset')
    expect(await lease.release()).toMatchObject({ outcome: 'closed' })
  })

  test('by another stream of the same lease is told from all others', async () => {
    await using lease = await connect().lease('script')
    const reading = failure(lease.reader.readLine())
    await (await peerOf(lease)).send('part')
    await until('they came', () => lease.reader.buffered === 4)
    const protocols = ['sockpool.v1', ...(service.token === null ? [] : [`token.${service.token}`])]
    const other = new WebSocket(
      `${service.url.replace('http', 'ws')}/v1/leases/${lease.id}/stream`,
      protocols,
    )
    onTestFinished(() => other.close())
    expect(await reading).toMatchObject({
      code: 'READ_BUSY',
      message: expect.stringContaining('taken this one over'),
    })
  })

  test('by the end of its service is unreachable, and by its restart gone', async () => {
    const first = await startServiceFixture({ config: configOf(upstream), finally: onTestFinished })
    const proxy = await proxied(first.port)
    const pool = connectPool(proxy.url, {
      ...(first.token !== null && { token: first.token }),
      retry: { attempts: 3, budgetMs: 5_000 },
    })
    onTestFinished(() => pool.close())
    const lease = await pool.lease('script')
    const reading = failure(lease.reader.readLine())
    await (await peerOf(lease)).send('part')
    await until('they came', () => lease.reader.buffered === 4)
    const closing = first.close()
    expect(['DRAINING', 'LEASE_GONE', 'SERVICE_UNREACHABLE']).toContain((await reading).code)
    expect(await lease.release()).toMatchObject({ outcome: 'closed' })
    await closing
    expect(await failure(pool.stats())).toMatchObject({ code: 'SERVICE_UNREACHABLE' })
  })

  test('is the program’s own by close and by abort', async () => {
    const pool = connect()
    const { leases } = await pool.stats()
    const closed = await pool.lease('script')
    const peer = await peerOf(closed)
    closed.writer.write('last words')
    closed.writer.close()
    expect(String(await peer.received(10))).toBe('last words')
    await peer.ended()
    peer.end()
    await closed.writer.waitClosed()
    expect(await closed.release()).toMatchObject({ outcome: 'closed' })
    const aborted = await pool.lease('script')
    const far = await peerOf(aborted)
    aborted.writer.write('a')
    await far.received(1)
    aborted.writer.abort()
    await aborted.writer.waitClosed()
    await far.ended()
    expect(await aborted.release()).toEqual({ outcome: 'closed', reason: 'discarded' })
    await expect.poll(async () => (await pool.stats()).leases).toBeLessThanOrEqual(leases)
  })
})
