import { expect, test } from 'vitest'
import type { Pool } from '../../src/pool/pool.ts'
import { attach } from '../support/attached.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool, openServicePool, targetOf } from '../support/pool-fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

/** Resolves when the peer sees its connection end, and the pool has the slot free. */
async function ended(server: TestServer, pool: Pool): Promise<void> {
  await until('the connection was closed', () => server.accepted > 0 && server.sockets.size === 0)
  await until('its slot was free', () => poolCounts(pool).connections === 0 && pool.stats().leases === 0)
}

test.each([
  ['calls process.exit', 'holdAndExit', 3],
  ['comes to its end', 'holdAndEnd', 0],
  ['throws', 'holdAndThrow', 1],
] as const)('a thread that %s while it holds a lease loses it', async (_what, part, code) => {
  const heard: string[] = []
  const server = await startLineServer(line => heard.push(line))
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const thread = attach(pool, part)
  expect(await thread.exited).toBe(code)
  await ended(server, pool)
  const lease = await pool.lease('it')
  expect(lease.reused).toBe(false)
  await lease.discard()
})

test('a thread that is terminated while it blocks on a lease loses it', async () => {
  const server = await startLineServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const thread = attach(pool, 'holdAndBlock')
  const peer = await server.connection()
  if (peer.bytesRead === 0) await new Promise(resolve => peer.once('data', resolve))
  await thread.worker.terminate()
  await ended(server, pool)
})

test('a thread that is terminated while it awaits a lease asynchronously loses it', async () => {
  const server = await startLineServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const thread = attach(pool, 'asyncHold')
  await thread.next()
  await thread.worker.terminate()
  await ended(server, pool)
})

test('a thread that is terminated while it waits for a lease leaves the queue', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const lease = await pool.lease('it')
  const thread = attach(pool, 'blockForLease')
  await until('the thread waited', () => pool.stats().waiters === 1)
  await thread.worker.terminate()
  await until('it was gone', () => pool.stats().waiters === 0)
  await lease.release()
})

test('Pool.close ends a blocked read with an error', async () => {
  const server = await startLineServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'read')
  await thread.next()
  await pool.close()
  expect(await thread.next()).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
  await thread.next()
  expect(await thread.next()).toMatchObject({ code: 'LEASE_GONE' })
  expect(await thread.next()).toMatchObject({ outcome: 'closed' })
  expect(await thread.exited).toBe(0)
})

test('Pool.close ends a blocked wait for a lease with an error, and refuses the next', async () => {
  const server = await startLineServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const lease = await pool.lease('it')
  const thread = attach(pool, 'waitLease')
  await until('the thread waited', () => pool.stats().waiters === 1)
  await pool.close()
  expect(lease.gone).toBe('killed')
  expect(await thread.next()).toBe('waiting')
  expect(await thread.next()).toMatchObject({ code: 'DRAINING' })
  expect(await thread.next()).toMatchObject({ code: 'DRAINING' })
  expect(await thread.exited).toBe(0)
})

test('a thread that attaches to a closed pool is refused', async () => {
  const pool = await openPool()
  await pool.close()
  const thread = attach(pool, 'waitLease')
  expect(await thread.next()).toBe('waiting')
  expect(await thread.next()).toMatchObject({ code: 'DRAINING' })
})

test('Pool.close ends an asynchronous lease of an attached thread', async () => {
  const server = await startLineServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'asyncHold')
  await thread.next()
  await pool.close()
  expect(await thread.next()).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
  expect(await thread.next()).toMatchObject({ outcome: 'closed' })
  expect(await thread.exited).toBe(0)
})

test('a blocked reader hears that the I/O worker of its connection died', async () => {
  const server = await startLineServer(() => {}, { tolerant: true })
  const lost: unknown[] = []
  const pool = await openPool({
    targets: { it: targetOf(server, { reuse: 'clean' }) },
    ioWorkerFile: TRAPPED_IO_WORKER,
    onEvent: event => lost.push(event.kind),
  })
  const thread = attach(pool, 'read')
  await thread.next()
  await setTrap({ worker: 0, do: 'throwAfterRead' })
  const peer = await server.connection()
  peer.write('trap')
  expect(await thread.next()).toMatchObject({ code: 'WORKER_LOST' })
  await thread.next()
  expect(await thread.next()).toMatchObject({ code: 'WORKER_LOST' })
  expect(await thread.next()).toEqual({ outcome: 'closed', reason: 'error' })
  expect(lost).toContain('worker_lost')
})

test('an asynchronous reader on an attached thread hears it too, and that of a reset', async () => {
  const server = await startTestServer(() => {})
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'asyncHold')
  await thread.next()
  const peer = await server.connection()
  peer.resetAndDestroy()
  expect(await thread.next()).toMatchObject({ code: 'CONNECTION_RESET' })
  expect(await thread.next()).toMatchObject({ outcome: 'closed', reason: 'error' })
  await until('nothing was left', () => pool.stats().leases === 0)
})

test('a lease that expires under a silent holder is gone, and what it writes then reaches nobody', async () => {
  const heard: string[] = []
  const server = await startTestServer(socket => socket.on('data', chunk => heard.push(String(chunk))))
  const pool = openServicePool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  const thread = attach(pool, 'expire', { ttlMs: 50 })
  expect(await thread.next()).toBe('leased')
  await until('the lease was gone', () => pool.stats().leases === 0)
  await until('its connection was closed', () => server.sockets.size === 0)
  const next = await pool.lease('it')
  thread.worker.postMessage('write')
  expect(await thread.next()).toMatchObject({ code: 'LEASE_GONE', reason: 'expired' })
  expect(await thread.next()).toMatchObject({ code: 'LEASE_GONE', reason: 'expired' })
  expect(await thread.next()).toMatchObject({ outcome: 'closed' })
  next.writer.write('mine')
  await next.writer.drain()
  await until('the new holder was heard', () => heard.length > 0)
  expect(heard.join('')).toBe('mine')
  await next.discard()
})

test('a lease does not expire while its holder blocks on it, or moves bytes', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean' }) } })
  const thread = attach(pool, 'busy', { ttlMs: 250 })
  expect(await thread.next()).toBe('blocks')
  const peer = await server.connection()
  setTimeout(() => peer.write('late\n'), 700)
  expect(await thread.next()).toEqual({ line: 'late\n', verdict: { outcome: 'reused', reason: 'clean' } })
})

test('threads come and go, and their connections serve the next', async () => {
  const server = await startLineServer(echoLine)
  const pool = await openPool({
    ioWorkers: 2,
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 2 } }) },
  })
  for (let round = 0; round < 6; round++) {
    const thread = attach(pool, 'exchanges', { name: `round ${round}`, count: 20 })
    expect(await thread.next()).toEqual({ wrong: 0 })
    expect(await thread.exited).toBe(0)
  }
  expect(server.accepted).toBeLessThanOrEqual(2)
})
