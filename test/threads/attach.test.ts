import { createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { attachPool } from '../../src/library/attach-pool.ts'
import { attach } from '../support/attached.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer } from '../support/test-server.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

test('AttachedPool.leaseSync gives straight-line code a connection, and the same one again', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'straight')
  expect(await thread.next()).toEqual({
    answers: ['one\n', 'two\n'],
    reused: false,
    port: server.port,
    verdict: { outcome: 'reused', reason: 'clean' },
    again: { outcome: 'reused', reason: 'clean' },
  })
  expect(await thread.next()).toEqual({
    answers: ['three\n'],
    reused: true,
    verdict: { outcome: 'reused', reason: 'clean' },
  })
  expect(await thread.exited).toBe(0)
  expect(server.accepted).toBe(1)
})

test('AttachedPool.lease gives the asynchronous lease of the pool itself', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'async')
  expect(await thread.next()).toEqual({
    lines: ['hello\n', 'world\n'],
    reused: false,
    verdict: { outcome: 'reused', reason: 'clean' },
  })
  expect(await thread.next()).toMatchObject({
    used: { line: 'again\n', reused: true },
    stats: { leases: 0, connections: { idle: 1, leased: 0 } },
  })
  expect(await thread.exited).toBe(0)
})

test('AttachedPool.exchangeSync of four threads shares eight connections, and each hears its own answers', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({
    ioWorkers: 2,
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 8 } }) },
  })
  const threads = [0, 1, 2, 3].map(name => attach(pool, 'exchanges', { name: `thread ${name}`, count: 500 }))
  for (const thread of threads) expect(await thread.next()).toEqual({ wrong: 0 })
  for (const thread of threads) expect(await thread.exited).toBe(0)
  expect(server.accepted).toBeLessThanOrEqual(8)
})

test('AttachedPool mixes blocking and asynchronous exchanges on one thread', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 4 } }) } })
  const threads = [0, 1].map(name => attach(pool, 'mixed', { name: `thread ${name}`, count: 100 }))
  for (const thread of threads) expect(await thread.next()).toEqual({ right: 200, missed: 0 })
  for (const thread of threads) expect(await thread.exited).toBe(0)
})

test('AttachedPool.lease is cancelled by its signal, and leaves the queue', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const lease = await pool.lease('it')
  const thread = attach(pool, 'cancel')
  expect(await thread.next()).toBe('waiting')
  await until('the thread waited', () => pool.stats().waiters === 1)
  thread.worker.postMessage('cancel')
  expect(await thread.next()).toMatchObject({ code: 'ABORTED' })
  expect(pool.stats().waiters).toBe(0)
  expect(await thread.next()).toMatchObject({ code: 'ABORTED' })
  expect(await thread.next()).toMatchObject({ code: 'INVALID_REQUEST' })
  expect(await thread.exited).toBe(0)
  await lease.discard()
})

test('AttachedPool parses in the parse workers of the pool, also from its live connections', async () => {
  const server = await startLineServer((_line, socket) => {
    socket.write('{"a":[1,2')
    setImmediate(() => socket.write(',3]}rest\n'))
  })
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'parse')
  expect(await thread.next()).toEqual({
    first: { a: [1, 2, 3] },
    rest: 'rest\n',
    verdict: { outcome: 'reused', reason: 'clean' },
  })
  expect(await thread.next()).toEqual({ rows: [1, 2] })
  expect(await thread.next()).toMatchObject({ bad: { code: 'PARSE_FAILED' } })
  expect(await thread.exited).toBe(0)
})

test('BlockingReader and leaseSync time out, and the connection is not used again', async () => {
  const server = await startLineServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 2 } }) } })
  const other = await pool.lease('it')
  const thread = attach(pool, 'timeouts')
  expect(await thread.next()).toMatchObject({
    code: 'READ_TIMEOUT',
    message: expect.stringContaining('50 ms'),
  })
  expect(await thread.next()).toMatchObject({ code: 'READ_TIMEOUT' })
  expect(await thread.next()).toMatchObject({ code: 'POOL_EXHAUSTED' })
  expect(await thread.next()).toMatchObject({ code: 'WAIT_TIMEOUT' })
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'timed_out' })
  await other.discard()
})

test('AttachedPool.leaseSync is refused where the thread would wait for what it holds itself', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const thread = attach(pool, 'starve')
  expect(await thread.next()).toMatchObject({ code: 'WOULD_DEADLOCK' })
  expect(await thread.next()).toMatchObject({ code: 'POOL_EXHAUSTED' })
  expect(await thread.next()).toEqual({
    line: 'still there\n',
    verdict: { outcome: 'reused', reason: 'clean' },
  })
})

test('BlockingWriter.write times out on a peer that takes nothing, and says how much is on its way', async () => {
  const server = await startTestServer(socket => void socket.pause(), { tolerant: true })
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'flood')
  const failure = (await thread.next()) as { code: string; bytesAccepted: number }
  expect(failure.code).toBe('DRAIN_TIMEOUT')
  expect(failure.bytesAccepted).toBeGreaterThan(65_535)
  expect(failure.bytesAccepted).toBeLessThan(67_108_864)
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'timed_out' })
  for (const socket of server.sockets) socket.destroy()
})

test('BlockingWriter and BlockingReader move more than the rings hold', async () => {
  const server = await startTestServer(
    socket => {
      const chunks: Buffer[] = []
      socket.on('data', chunk => chunks.push(chunk))
      socket.on('end', () => socket.end(Buffer.concat(chunks)))
    },
    { halfOpen: true },
  )
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const thread = attach(pool, 'bulk')
  expect(await thread.next()).toEqual({ length: 3_000_000, same: true, eof: true })
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'policy' })
})

test('BlockingWriter.close sends what was written, and waitClosed blocks until the end', async () => {
  const heard: string[] = []
  const server = await startLineServer(line => heard.push(line))
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'close')
  expect(await thread.next()).toEqual({ returned: undefined })
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'half_closed' })
  await thread.exited
  expect(heard).toEqual(['last words'])
})

test('AttachedPool.useSync discards on a throw, and its disposal lets go of everything', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'dispose')
  expect(await thread.next()).toMatchObject({ message: 'mine' })
  expect(await thread.next()).toEqual({ line: 'two\n', reused: false })
  expect(await thread.next()).toMatchObject({ code: 'DRAINING' })
  expect(await thread.exited).toBe(0)
})

test('AttachedPool.leaseSync dials a described target, and says when a name is none', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool()
  const thread = attach(pool, 'described', { host: server.host, port: server.port })
  expect(await thread.next()).toEqual({ line: 'one\n', verdict: { outcome: 'closed', reason: 'policy' } })
  expect(await thread.next()).toMatchObject({ code: 'TARGET_NOT_FOUND' })
})

test('StreamWriter.startTls works on an attached thread, and its lease is never reused', async () => {
  const certificate = await testCertificate()
  const upgraded = createServer(certificate, socket => void socket.pipe(socket))
  const server = await startTestServer(socket => {
    socket.once('data', () => {
      socket.write('ready\n')
      upgraded.emit('connection', socket)
    })
  })
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'tls', { ca: certificate.cert, servername: 'localhost' })
  expect(await thread.next()).toBe('ready\n')
  expect(await thread.next()).toBe('secret\n')
  expect(await thread.next()).toEqual({
    protocol: 'TLSv1.3',
    verdict: { outcome: 'closed', reason: 'upgraded' },
  })
  expect(await thread.exited).toBe(0)
})

test('attachPool is refused on the thread that created the pool', async () => {
  const pool = await openPool()
  expect(() => attachPool(pool.handle)).toThrow(
    expect.objectContaining({ code: 'WOULD_DEADLOCK', message: expect.stringContaining('created') }),
  )
})

test('Pool.handle can be cloned and stays the same', async () => {
  const pool = await openPool()
  expect(pool.handle).toBe(pool.handle)
  expect(structuredClone(pool.handle)).toEqual(pool.handle)
})

test('AttachedPool does what an operator says, as the pool itself', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 8 } }) } })
  const thread = attach(pool, 'operator')
  expect(await thread.next()).toMatchObject({
    states: ['paused', 'active', 'disabled', 'active', 'active', 'active', 'active', 'draining'],
    unknown: { code: 'TARGET_NOT_FOUND' },
    tooMany: { code: 'INVALID_REQUEST' },
    nobody: { code: 'CONNECTION_NOT_FOUND' },
  })
  expect(await thread.exited).toBe(0)
  expect(pool.targets()).toMatchObject([{ state: 'draining', connections: { max: 3 } }])
})
