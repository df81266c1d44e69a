/** An I/O worker is replaced while it serves: what it holds goes on, and nobody else hears of it. */
import { once } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { WorkerStats } from '../../src/threads/worker-stats.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { allOf, dial, echoLines, serve } from '../support/server-fixture.ts'
import type { TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

async function opened(ioWorkers = 1): Promise<{ readonly server: TestServer; readonly pool: Pool }> {
  const server = await startLineServer(echoLine)
  const it = targetOf(server, { reuse: 'clean', pool: { max: 4 } })
  return { server, pool: await openPool({ ioWorkers, targets: { it } }) }
}

async function ask(lease: Lease): Promise<void> {
  lease.writer.write('x\n')
  expect((await lease.reader.readLine({ timeoutMs: 10_000 })).toString()).toBe('x\n')
}

const rows = async (pool: Pool): Promise<readonly WorkerStats[]> =>
  (await pool.workers()) as readonly WorkerStats[]

/** Resolves when a successor serves; a thread that starts from source takes its time on a busy machine. */
async function begun(pool: Pool): Promise<void> {
  await expect.poll(async () => (await rows(pool)).length, { timeout: 30_000 }).toBe(2)
}

const connectionsOf = (pool: Pool) => {
  const [it] = pool.targets()
  if (it === undefined) throw new Error('the pool has a target')
  return it.connections
}

describe('drainWorker', () => {
  test('closes idle connections, lets leases go on until they are released, and ends the thread', async () => {
    const { pool } = await opened()
    const lease = await pool.lease('it')
    await pool.use('it', ask)
    await until('the other is idle', () => connectionsOf(pool).idle === 1)
    const [before] = await rows(pool)
    const drained = pool.drainWorker(0)
    await begun(pool)
    await until('the idle one is closed', () => connectionsOf(pool).idle + connectionsOf(pool).closing === 0)
    expect(await rows(pool)).toMatchObject([
      { id: 0, state: 'serving', connections: 0 },
      { id: 0, state: 'draining', connections: 1, threadId: before?.threadId },
    ])
    await pool.use('it', async fresh => {
      expect(fresh.reused).toBe(false)
      await ask(fresh)
    })
    await ask(lease)
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'drain' })
    const result = await drained
    const [after, ...others] = await rows(pool)
    expect(others).toEqual([])
    expect(result).toEqual({ id: 0, threadId: after?.threadId, closed: 1, leased: 1 })
    expect(after?.threadId).not.toBe(before?.threadId)
    // What its predecessor has counted stays counted.
    expect(after).toMatchObject({ state: 'serving', dialled: 3 })
    await pool.use('it', async next => {
      expect(next.reused).toBe(true)
      await ask(next)
    })
  })

  test('goes on where its caller waits no longer, and a repeat is the same drain', async () => {
    const { pool } = await opened()
    const lease = await pool.lease('it')
    await expect(pool.drainWorker(0, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    const again = pool.drainWorker(0)
    const third = pool.drainWorker(0)
    await ask(lease)
    await lease.release()
    const [one, other] = await Promise.all([again, third])
    expect(one.threadId).toBe(other.threadId)
    expect((await rows(pool)).map(({ threadId }) => threadId)).toEqual([one.threadId])
    expect((await pool.drainWorker(0)).threadId).not.toBe(one.threadId)
  })

  test.each([[7], [-1], [0.5]])('knows no worker %s', async id => {
    const { pool } = await opened()
    await expect(pool.drainWorker(id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('changes nothing where no successor can be started', async () => {
    const server = await startLineServer(echoLine)
    const events: string[] = []
    const ioWorkerFile = new URL('../fixtures/threads/refusing-io-worker.ts', import.meta.url)
    const it = targetOf(server, { reuse: 'clean' })
    const pool = await openPool({
      ioWorkerFile,
      targets: { it },
      onEvent: event => void events.push(event.kind),
    })
    await pool.use('it', ask)
    vi.stubEnv('SOCKPOOL_TEST_REFUSE', 'yes')
    onTestFinished(() => void vi.unstubAllEnvs())
    await expect(pool.drainWorker(0)).rejects.toMatchObject({ code: 'WORKER_LOST' })
    await pool.use('it', async lease => {
      expect(lease.reused).toBe(true)
      await ask(lease)
    })
    expect(events).not.toContain('worker_lost')
  })

  test('fails no lease of callers that come all the while', async () => {
    const { pool, server } = await opened(2)
    let isOver = false
    let served = 0
    const caller = async (): Promise<void> => {
      while (!isOver) {
        await pool.use('it', ask, { waitMs: 20_000 })
        served++
      }
    }
    const callers = Array.from({ length: 8 }, caller)
    for (let round = 0; round < 6; round++) {
      const before = served
      const [result] = await Promise.all([
        pool.drainWorker(round % 2),
        until('callers are served', () => served > before + 8, 20_000),
      ])
      expect(result.id).toBe(round % 2)
    }
    isOver = true
    // Each rejects with the first of its failures.
    await Promise.all(callers)
    expect(served).toBeGreaterThan(48)
    expect(server.accepted).toBeGreaterThan(4)
    expect((await rows(pool)).map(({ state }) => state)).toEqual(['serving', 'serving'])
  })

  test('moves a server, whose clients of before go on', async () => {
    const { pool, server } = await serve(echoLines)
    const { port } = server.address
    const client = await dial(server)
    client.write('before\n')
    await once(client, 'data')
    const drained = pool.drainWorker(0)
    await begun(pool)
    const next = await dial(server)
    next.end('after\n')
    expect(await allOf(next)).toBe('after\n')
    client.end('the last\n')
    expect(await allOf(client)).toBe('the last\n')
    await drained
    expect([server.isServing(), server.address.port]).toEqual([true, port])
  })

  test('ends with its pool', async () => {
    const { pool } = await opened()
    await pool.lease('it')
    const drained = pool.drainWorker(0)
    await begun(pool)
    await pool.close()
    expect(await drained).toMatchObject({ id: 0, leased: 1 })
  })
})
