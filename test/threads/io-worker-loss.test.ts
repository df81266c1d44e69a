import { expect, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import type { WorkerEvent } from '../../src/library/create-pool.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { PoolEvent } from '../../src/pool/pool-deps.ts'
import type { WorkerStats } from '../../src/threads/worker-stats.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { poolCounts } from '../support/open-connections.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

function workerOf(pool: Pool, lease: Lease): number {
  const row = pool.connections().find(({ id }) => id === lease.connection.id)
  if (row === undefined) throw new Error('the lease has no connection')
  return row.worker
}

async function workers(pool: Pool): Promise<readonly WorkerStats[]> {
  return (await pool.workers()) as readonly WorkerStats[]
}

test('connections go to the least loaded I/O worker', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({ ioWorkers: 3, targets: { it: targetOf(server, { pool: { max: 9 } }) } })
  const leases = await Promise.all(Array.from({ length: 6 }, () => pool.lease('it')))
  expect((await workers(pool)).map(({ connections }) => connections)).toEqual([2, 2, 2])
  const freed = leases.filter(lease => workerOf(pool, lease) === 1)
  for (const lease of freed) await lease.discard()
  await until('they were gone', () => poolCounts(pool).connections === 4)
  const [next, last] = [await pool.lease('it'), await pool.lease('it')]
  expect([next, last].map(lease => workerOf(pool, lease))).toEqual([1, 1])
})

test('a fault in an I/O worker ends its own leases with WORKER_LOST and no others, and the worker is replaced', async () => {
  const server = await startTestServer(echo)
  const events: (PoolEvent | WorkerEvent)[] = []
  const pool = await openPool({
    ioWorkers: 2,
    ioWorkerFile: TRAPPED_IO_WORKER,
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 8 } }) },
    onEvent: event => events.push(event),
  })
  const leases = await Promise.all(Array.from({ length: 6 }, () => pool.lease('it')))
  const doomed = leases.filter(lease => workerOf(pool, lease) === 0)
  const spared = leases.filter(lease => workerOf(pool, lease) === 1)
  expect(doomed).toHaveLength(3)
  const [talker, silent, rich] = doomed
  if (!talker || !silent || !rich) throw new Error('three leases were doomed')
  rich.writer.write('received before')
  await until('the bytes came', () => rich.reader.buffered === 15)
  const threadsBefore = (await workers(pool)).map(({ threadId }) => threadId)

  const pending = [talker, silent].map(lease => lease.reader.readLine().catch(error => error))
  const going = spared.map(lease => lease.reader.readLine())
  const startedMs = performance.now()
  await setTrap({ worker: 0, do: 'throw' })
  for (const error of await Promise.all(pending))
    expect(error).toMatchObject({ code: 'WORKER_LOST', retryable: true })
  expect(performance.now() - startedMs).toBeLessThan(1_000)
  expect(events).toContainEqual({
    kind: 'worker_lost',
    worker: 0,
    error: expect.objectContaining({ message: 'the trap was sprung' }),
  })

  // Bytes that had come precede the end; then the lease is gone, and says why.
  expect((await rich.reader.readExactly(15)).toString()).toBe('received before')
  await expect(rich.reader.read(1)).rejects.toMatchObject({ code: 'WORKER_LOST' })
  await expect(talker.operation('read', () => talker.reader.read(1))).rejects.toMatchObject({
    code: 'LEASE_GONE',
    reason: 'worker_lost',
  })
  await expect(talker.reader.read(1)).rejects.toMatchObject({ code: 'WORKER_LOST' })
  expect(talker.gone).toBe('worker_lost')
  await expect(silent.writer.drain()).rejects.toMatchObject({ code: 'WORKER_LOST' })
  expect(await silent.release()).toEqual({ outcome: 'closed', reason: 'error' })

  for (const [index, lease] of spared.entries()) lease.writer.write(`still here ${index}\n`)
  for (const [index, line] of (await Promise.all(going)).entries())
    expect(line.toString()).toBe(`still here ${index}\n`)
  for (const lease of spared) expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })

  await until('the worker was replaced', () => pool.ready)
  const threadsAfter = (await workers(pool)).map(({ threadId }) => threadId)
  expect(threadsAfter[0]).not.toBe(threadsBefore[0])
  expect(threadsAfter[1]).toBe(threadsBefore[1])
  const fresh = await Promise.all(Array.from({ length: 6 }, () => pool.lease('it')))
  expect(fresh.filter(lease => workerOf(pool, lease) === 0)).toHaveLength(3)
  await Promise.all(
    fresh.map(async (lease, index) => {
      lease.writer.write(`new ${index}\n`)
      expect((await lease.reader.readLine()).toString()).toBe(`new ${index}\n`)
      expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
    }),
  )
})

test('a fault while an I/O worker serves one connection ends that one alone, and is told', async () => {
  const server = await startTestServer(echo)
  const events: (PoolEvent | WorkerEvent)[] = []
  const pool = await openPool({
    ioWorkerFile: TRAPPED_IO_WORKER,
    targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 2 } }) },
    onEvent: event => events.push(event),
  })
  const [victim, bystander] = [await pool.lease('it'), await pool.lease('it')]
  await setTrap({ worker: 0, do: 'throwInRead' })
  victim.writer.write('into the trap\n')
  await expect(victim.reader.readLine()).rejects.toMatchObject({ code: 'CHANNEL_CORRUPT' })
  expect(await victim.release()).toMatchObject({ outcome: 'closed' })
  // The fault comes by a message of its own, which may be behind the loss that the channel tells.
  const fault = (event: PoolEvent | WorkerEvent): boolean =>
    event.kind === 'fault' && String(event.error).endsWith('the trap caught 14 bytes')
  await until('the fault is told', () => events.some(fault))
  bystander.writer.write('still here\n')
  expect((await bystander.reader.readLine()).toString()).toBe('still here\n')
  // The slot is free again.
  const next = await pool.lease('it')
  next.writer.write('next\n')
  expect((await next.reader.readLine()).toString()).toBe('next\n')
  for (const lease of [bystander, next])
    expect(await lease.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  expect(events.map(({ kind }) => kind)).not.toContain('worker_lost')
})

test('a dial under way in a worker that dies is WORKER_LOST', async () => {
  const server = await startTestServer(echo)
  const stalled = await startTestServer(socket => socket.resume())
  const pool = await openPool({
    ioWorkerFile: TRAPPED_IO_WORKER,
    targets: { it: targetOf(server), stalled: targetOf(stalled, { tls: { servername: 'localhost' } }) },
  })
  const lease = await pool.lease('it')
  await setTrap({ worker: 0, do: 'throwAfterRead' })
  const dialling = pool.lease('stalled').catch(error => error)
  await stalled.connection()
  lease.writer.write('now')
  expect(await dialling).toMatchObject({ code: 'WORKER_LOST', retryable: true })
  expect(pool.stats()).toMatchObject({ waiters: 0 })
})

test('an I/O worker whose event loop stands still is ended and replaced', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool({
    ioWorkers: 2,
    ioWorkerFile: TRAPPED_IO_WORKER,
    targets: { it: targetOf(server) },
  })
  const [stuck, free] = [await pool.lease('it'), await pool.lease('it')]
  expect([stuck, free].map(lease => workerOf(pool, lease))).toEqual([0, 1])
  const reading = stuck.reader.read(1).catch(error => error)
  const startedMs = performance.now()
  await setTrap({ worker: 0, do: 'spin' })
  expect(await reading).toMatchObject({ code: 'WORKER_LOST' })
  const tookMs = performance.now() - startedMs
  expect(tookMs).toBeGreaterThan(LIMITS.heartbeatDeadMs - LIMITS.sweepIntervalMs)
  expect(tookMs).toBeLessThan(LIMITS.heartbeatDeadMs + 4 * LIMITS.sweepIntervalMs)
  free.writer.write('unharmed\n')
  expect((await free.reader.readLine()).toString()).toBe('unharmed\n')
  await until('the worker was replaced', () => pool.ready)
}, 30_000)
