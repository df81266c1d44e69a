/** What is dialled for callers who leave, and how long an end of a lease may take: each bounded, whatever the peer does. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openConnection } from '../../src/library/open-connection.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { watchLeaks } from '../support/leak-watch.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

/** A server that accepts and says nothing, and never reads. */
async function startDeafServer() {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  let isOver = false
  onTestFinished(() => {
    isOver = true
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  server.on('connection', socket => {
    socket.on('error', () => {})
    // It may be seen only once the test is over, where that did not wait for it.
    if (isOver) socket.destroy()
    else sockets.add(socket)
  })
  return server
}

const portOf = (server: ReturnType<typeof createServer>): number => {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('it listens')
  return address.port
}

function slotsOf(pool: Pool): number {
  return pool.targets().reduce((sum, { connections: { max: _max, min: _min, ...states } }) => {
    return sum + Object.values(states).reduce((one, other) => one + other, 0)
  }, 0)
}

test('a lease whose signal was aborted before the call dials nothing', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const signal = AbortSignal.abort('too late')
  const described = { host: '127.0.0.1', port: server.port }
  await expect(pool.lease('it', { signal })).rejects.toMatchObject({ code: 'ABORTED', cause: 'too late' })
  await expect(pool.lease(described, { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  // Whatever had been dialled before would have been accepted before this one.
  const lease = await pool.lease('it')
  // Once the peer has answered on this connection, it has accepted whatever was dialled before.
  lease.writer.write('x')
  expect(await lease.reader.readExactly(1)).toEqual(Buffer.from('x'))
  await lease.discard()
  expect(server.accepted).toBe(1)
})

test('openConnection that is aborted leaves nothing at the peer', async () => {
  const server = await startDeafServer()
  const port = portOf(server)
  let accepted = 0
  server.on('connection', () => accepted++)
  const early = openConnection('127.0.0.1', port, { signal: AbortSignal.abort('early') })
  await expect(early).rejects.toMatchObject({ code: 'ABORTED', cause: 'early' })
  const controller = new AbortController()
  const connected = once(server, 'connection')
  const opening = openConnection('127.0.0.1', port, {
    signal: controller.signal,
    tls: { servername: 'localhost' },
  })
  opening.catch(() => {})
  const [socket] = await connected
  const closed = once(socket.resume(), 'close')
  controller.abort()
  await expect(opening).rejects.toMatchObject({ code: 'ABORTED' })
  await closed
  expect(accepted).toBe(1)
})

test('a caller that leaves a described target takes along what was dialled for it', async () => {
  const server = await startDeafServer()
  const pool = await openPool({})
  const described = { host: '127.0.0.1', port: portOf(server), tls: { servername: 'localhost' } }
  const controller = new AbortController()
  const accepted = once(server, 'connection')
  const asked = pool.lease(described, { signal: controller.signal })
  const [socket] = await accepted
  const closed = once(socket.resume(), 'close')
  controller.abort()
  await expect(asked).rejects.toMatchObject({ code: 'ABORTED' })
  await closed
  await until('the slot is free', () => slotsOf(pool) === 0)
})

test('a caller that leaves a described target leaves the dial to another who waits', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ adHocMax: 1 })
  const described = { host: '127.0.0.1', port: server.port }
  const held = await pool.lease(described)
  const controller = new AbortController()
  const leaving = pool.lease(described, { signal: controller.signal })
  const staying = pool.lease(described)
  controller.abort()
  await expect(leaving).rejects.toMatchObject({ code: 'ABORTED' })
  await held.discard()
  await (await staying).discard()
  await until('nothing is left', () => slotsOf(pool) === 0)
})

test('a caller that leaves a named target leaves its connection to whoever comes next', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const controller = new AbortController()
  const asked = pool.lease('it', { signal: controller.signal })
  controller.abort()
  await expect(asked).rejects.toMatchObject({ code: 'ABORTED' })
  await until('it lies idle', () => pool.targets()[0]?.connections.idle === 1)
  const lease = await pool.lease('it')
  // Once the peer has answered on this connection, it has accepted whatever was dialled before.
  lease.writer.write('x')
  expect(await lease.reader.readExactly(1)).toEqual(Buffer.from('x'))
  await lease.discard()
  expect(server.accepted).toBe(1)
})

test.each<[string, (end: { pool: Pool; lease: Awaited<ReturnType<Pool['lease']>> }) => unknown, string]>([
  ['kill', ({ lease }) => lease.kill(), 'killed'],
  ['its expiry', () => {}, 'expired'],
  ['Pool.close', ({ pool }) => pool.close(), 'killed'],
  ['discard', ({ lease }) => lease.discard(), 'released'],
])('a release that waits for its last bytes ends at once by %s', async (_name, end, gone) => {
  // What is asked for first looks last: the server's sockets are gone by then.
  watchLeaks()
  const server = await startDeafServer()
  const target = { host: '127.0.0.1', port: portOf(server), reuse: 'clean' as const }
  const pool = await openPool({ targets: { it: target } })
  const lease = await pool.lease('it', gone === 'expired' ? { ttlMs: 80 } : {})
  // More than the kernel, the ring and the queue hold together: it can never be sent.
  lease.writer.write(Buffer.alloc(48 * 1_048_576))
  const released = lease.release()
  const startedMs = performance.now()
  await end({ pool, lease })
  expect(await released).toMatchObject({ outcome: 'closed' })
  expect(performance.now() - startedMs).toBeLessThan(5_000)
  expect(lease.gone).toBe(gone)
  expect(() => lease.writer.write('late')).toThrow(expect.objectContaining({ code: 'LEASE_GONE' }))
  await until('the slot is free', () => slotsOf(pool) === 0)
})

test('a connection that ends as it is handed out is not given to the caller of a reused one', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  for (let round = 0; round < 50; round++) {
    const lease = await pool.lease('it')
    lease.writer.write('x')
    // It may end from here on, as any connection may.
    await lease.reader.readExactly(1).catch(() => 'it ended')
    await lease.release()
    // The peer hangs up somewhere between the release and the next lease.
    const [socket] = server.sockets
    setTimeout(() => socket?.destroy(), round % 5)
    for (let turn = 0; turn < round % 7; turn++) await new Promise(resolve => setImmediate(resolve))
  }
  await (await pool.lease('it')).discard()
})
