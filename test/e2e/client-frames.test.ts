/**
 * Messages of a lease by frames that the program names, in the client for browsers, which has no frames: the service cuts, and
 * the stream goes on where that was.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { SockpoolError } from '../../src/base/errors.ts'
import type { ConnectPoolOptions } from '../../src/client/client-options.ts'
import { connectPool as connectOnNode } from '../../src/client/connect-pool.ts'
import type { RemoteLease } from '../../src/client/remote-lease.ts'
import type { RemotePool } from '../../src/client/remote-pool.ts'
import type { FrameInput } from '../../src/frames/frame-input.ts'
import { buildClientForBrowsers } from '../../tsup.config.ts'
import { afterFile } from '../support/after-file.ts'
import { jsonOf, type LeaseView } from '../support/api.ts'
import { FailingWay } from '../support/failing-way.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'
import { until } from '../support/until.ts'
import { type Peer, startUpstream, type Upstream } from '../support/upstream.ts'

let upstream: Upstream
let service: ServiceFixture
let folder: string
let client: typeof import('../../src/client/web.ts')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sockpool-client-'))
  afterFile(() => rm(folder, { recursive: true }))
  await buildClientForBrowsers(folder)
  client = await import(join(folder, 'client.js'))
  upstream = await startUpstream()
  afterFile(() => upstream.close())
  const { host, port } = upstream
  service = await startServiceFixture({
    config: {
      egress: { allow: ['127.0.0.0/8'] },
      http: { hosts: ['127.0.0.1'] },
      targets: { script: { host, port }, lines: { host, port, frame: 'line' } },
    },
    finally: afterFile,
  })
})

function connect(options: ConnectPoolOptions & { readonly url?: string } = {}): RemotePool {
  const { url = service.url, ...rest } = options
  const pool = client.connectPool(url, { ...(service.token !== null && { token: service.token }), ...rest })
  onTestFinished(() => pool.close())
  return pool
}

const peerOf = (lease: RemoteLease): Promise<Peer> => upstream.from(lease.connection.localPort)

const failure = (promise: Promise<unknown>): Promise<SockpoolError> =>
  promise.then(
    value => {
      throw new Error(`resolved with ${String(value)}`)
    },
    (error: SockpoolError) => error,
  )

const FRAMES: readonly (readonly [frame: FrameInput, message: string])[] = [
  ['line', 'a line\n'],
  ['crlf', 'another\n one\r\n'],
  ['resp', '*2\r\n$2\r\nhi\r\n:5\r\n'],
  ['memcached', 'VALUE k 0 2\r\nhi\r\nEND\r\n'],
  ['http1', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'],
  ['smtp', '250-one\r\n250 two\r\n'],
  ['mllp', '\x0bMSH\x1c\r'],
  ['iso8583', '\0\x02hi'],
  [{ lengthField: { bytes: 1, adjust: 1 } }, '\x01ab'],
  [{ delimiter: { start: '<', end: { hex: '3e' } } }, '<tag>'],
  [{ delimiter: Buffer.from([0xff, 0]) }, 'ÿ\0'],
  [{ delimiter: ';', max: 4 }, 'abc;'],
  [{ fixed: 3 }, 'xyz'],
]

describe('readFrame of the client for browsers', () => {
  test('reads each frame, by name and described, among reads of its own', async () => {
    await using lease = await connect().lease('lines')
    const { reader, writer } = lease
    const peer = await peerOf(lease)
    writer.write('ask\n')
    await peer.received(4)
    await peer.send(Buffer.from(FRAMES.map(([, message]) => `${message}-`).join(''), 'latin1'))
    let offset = 0
    for (const [frame, message] of FRAMES) {
      const read = await reader.readFrame(frame)
      expect([read.toString('latin1'), read.length]).toEqual([message, message.length])
      expect(String(await reader.readExactly(1))).toBe('-')
      offset += message.length + 1
      expect(reader.offset).toBe(offset)
    }
    await peer.send('own\nlast')
    expect(String(await reader.readFrame())).toBe('own\n')
    expect(String(await reader.readExactly(4))).toBe('last')
    writer.write('more')
    expect(String(await peer.received(8))).toBe('ask\nmore')
  })

  test('has what is written meanwhile reach the peer, once and in order, and the stream go on behind it', async () => {
    await using lease = await connect().lease('script')
    const { reader, writer } = lease
    const peer = await peerOf(lease)
    writer.write('a')
    await peer.received(1)
    for (const [round, asked] of ['PING', 'x'.repeat(200_000), ''].entries()) {
      const reading = reader.readFrame('line')
      writer.write(asked)
      if (round === 0) await peer.received('aPING'.length)
      writer.write('!')
      await writer.drain()
      await peer.received(writer.offset)
      await peer.send(`answer ${round}\n`)
      expect(String(await reading)).toBe(`answer ${round}\n`)
    }
    await writer.send('end')
    const whole = `aPING!${'x'.repeat(200_000)}!!end`
    expect(String(await peer.received(whole.length))).toBe(whole)
  })

  test('has its message though the peer takes no more of what is written meanwhile, which comes later and whole', async () => {
    await using lease = await connect().lease('script')
    const { reader, writer } = lease
    const peer = await peerOf(lease)
    peer.socket.pause()
    const reading = reader.readFrame('line')
    const view = jsonOf<LeaseView>(await service.api.get(`/v1/leases/${lease.id}`))
    await service.api.held(view).begun('readframe')
    const bytes = Buffer.alloc(12_000_000, 'b')
    writer.write(bytes)
    await peer.send('answer\n')
    const sinceMs = performance.now()
    expect(String(await reading)).toBe('answer\n')
    expect(performance.now() - sinceMs).toBeLessThan(10_000)
    peer.socket.resume()
    expect((await peer.received(bytes.length)).equals(bytes)).toBe(true)
  })

  test('waits for what is still to come of a message, and reads what lay here before it', async () => {
    await using lease = await connect().lease('script')
    const { reader } = lease
    const peer = await peerOf(lease)
    await peer.send('ab+O')
    expect(String(await reader.peek(4))).toBe('ab+O')
    reader.unread(await reader.readExactly(2))
    await reader.readExactly(2)
    const reading = reader.readFrame('resp')
    expect(await failure(reader.read(1))).toMatchObject({ code: 'READ_BUSY' })
    await peer.send('K\r\nrest')
    expect(String(await reading)).toBe('+OK\r\n')
    expect(String(await reader.readExactly(4))).toBe('rest')
  })

  test('is refused while a read waits, and behind bytes that never came', async () => {
    await using lease = await connect().lease('script')
    const { reader } = lease
    const peer = await peerOf(lease)
    const waiting = reader.readLine()
    expect(await failure(reader.readFrame('line'))).toMatchObject({ code: 'READ_BUSY' })
    await peer.send('abc\n+OK\r\n')
    await waiting
    reader.unread(Buffer.from('xyz'))
    expect(await failure(reader.readFrame('resp'))).toMatchObject({ code: 'UNSUPPORTED' })
    expect(String(await reader.readExactly(3))).toBe('xyz')
    expect(String(await reader.readFrame('resp'))).toBe('+OK\r\n')
  })

  test('ends by its time and by its signal, and takes nothing then', async () => {
    const lease = await connect().lease('script')
    const { reader } = lease
    const peer = await peerOf(lease)
    await peer.send('\0\x05he')
    expect(await failure(reader.readFrame('iso8583', { timeoutMs: 80 }))).toMatchObject({
      code: 'READ_TIMEOUT',
    })
    const caller = new AbortController()
    const given = failure(reader.readFrame({ lengthField: { bytes: 2 } }, { signal: caller.signal }))
    setImmediate(() => caller.abort('why'))
    expect(await given).toMatchObject({ code: 'ABORTED', cause: 'why' })
    expect(reader.offset).toBe(0)
    await peer.send('llo')
    expect(String(await reader.readFrame('iso8583'))).toBe('\0\x05hello')
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'timed_out' })
  })

  test.each<readonly [unknown, string]>([
    ['redis', 'frame'],
    [{ fixed: 0 }, 'frame.fixed'],
    [{ delimiter: ';', max: 2 ** 25 }, 'frame.max'],
    [{ module: new URL('file:///frame.mjs') }, 'frame.module'],
    [Object.assign(() => 1, { fixed: 1 }), 'frame'],
  ])('hears from the service that %j is no frame for it', async (frame, path) => {
    await using lease = await connect().lease('script')
    await (await peerOf(lease)).send('bytes')
    expect(await failure(lease.reader.readFrame(frame as FrameInput))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path }],
    })
    expect(String(await lease.reader.readExactly(5))).toBe('bytes')
  })

  test('tells a message that is none, and one that is too long, which end the connection', async () => {
    const pool = connect()
    for (const [frame, bytes, code] of [
      ['resp', '?what\r\n', 'FRAME_BROKEN'],
      [{ delimiter: ';', max: 4 }, 'too long;', 'LIMIT_OVERRUN'],
    ] as const) {
      const lease = await pool.lease('script')
      const peer = await peerOf(lease)
      await peer.send(bytes)
      expect(await failure(lease.reader.readFrame(frame))).toMatchObject({ code })
      await peer.ended()
      expect((await lease.release()).outcome).toBe('closed')
    }
  })

  test('reads on to the end, and tells of half a message', async () => {
    await using lease = await connect().lease('script')
    const { reader } = lease
    const peer = await peerOf(lease)
    await reader.peek(0)
    peer.end('+OK\r\n$5\r\nhal')
    await until('the end is known', () => reader.ending === 'fin')
    expect(String(await reader.readFrame('resp'))).toBe('+OK\r\n')
    expect(await failure(reader.readFrame('resp'))).toMatchObject({
      code: 'INCOMPLETE_READ',
      partial: Buffer.from('$5\r\nhal'),
    })
    expect(reader.atEof()).toBe(true)
  })

  test('has what came before a reset', async () => {
    const lease = await connect().lease('script')
    const { reader } = lease
    const peer = await peerOf(lease)
    await peer.send('+OK\r\n+LAST\r\n')
    await until('they came', () => reader.buffered === 12)
    peer.reset()
    await until('it broke', () => reader.exception() !== null)
    expect(String(await reader.readFrame('resp'))).toBe('+OK\r\n')
    expect(String(await reader.readFrame('resp'))).toBe('+LAST\r\n')
    expect(await failure(reader.readFrame('resp'))).toMatchObject({ code: 'LEASE_GONE', reason: 'reset' })
    expect((await lease.release()).outcome).toBe('closed')
  })

  test('hears of a reset before anything else, where that is asked for', async () => {
    await using lease = await connect().lease('script', { onReset: 'raise' })
    const { reader } = lease
    const peer = await peerOf(lease)
    await peer.send('+OK\r\n')
    await until('it came', () => reader.buffered === 5)
    peer.reset()
    await until('it broke', () => reader.exception() !== null)
    expect(await failure(reader.readFrame('resp'))).toMatchObject({ code: 'CONNECTION_RESET' })
    const kept = reader.readFrame('resp', { onReset: 'drain-then-raise' })
    expect(String(await kept)).toBe('+OK\r\n')
  })

  test('loses no message, and reads none twice, wherever answers are lost', async () => {
    const way = await FailingWay.start(service.port)
    onTestFinished(() => way.close())
    const lease = await connect({ url: way.url, retry: { attempts: 50, budgetMs: 30_000 } }).lease('script')
    const peer = await peerOf(lease)
    let next = 0
    way.cutAfter(() => 300 + ((next++ * 397) % 1_500))
    way.cutAll()
    const sent = Array.from({ length: 20 }, (_, at) => `$3\r\n${String(at).padStart(3)}\r\n`)
    await peer.send(sent.join(''))
    const messages: string[] = []
    while (messages.length < 20) messages.push(String(await lease.reader.readFrame('resp')))
    expect(messages).toEqual(sent)
    expect(way.cuts).toBeGreaterThan(5)
    way.cutAfter(() => Number.POSITIVE_INFINITY)
    await lease.discard()
  })

  test('is not there for a reader of its own, which has all other reads', async () => {
    const reader = new client.StreamReader()
    reader.feedData(Buffer.from('line\n+OK\r\n'))
    expect(String(await reader.readLine())).toBe('line\n')
    expect(await failure(reader.readFrame('resp'))).toMatchObject({ code: 'UNSUPPORTED' })
    expect(String(await reader.readUntil('\r\n'))).toBe('+OK\r\n')
  })
})

test('readFrame of the client on Node cuts here, by a module too', async () => {
  const pool = connectOnNode(service.url, service.token === null ? {} : { token: service.token })
  onTestFinished(() => pool.close())
  await using lease = await pool.lease('script')
  const { reader } = lease
  await (await peerOf(lease)).send('3abc+OK\r\n')
  const module = join(folder, 'frame.mjs')
  await writeFile(module, 'export const endOf = bytes => bytes[0] - 0x30 + 1')
  expect(String(await reader.readFrame({ module }))).toBe('3abc')
  reader.unread(Buffer.from('+A\r\n'))
  // What the service has never seen.
  expect(String(await reader.readFrame('resp'))).toBe('+A\r\n')
  expect(String(await reader.readFrame('resp'))).toBe('+OK\r\n')
})
