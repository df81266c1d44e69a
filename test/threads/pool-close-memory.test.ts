/** What a pool or an attached thread's end of one leaves behind in memory once it is closed: nothing worth a look. */
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { createPool } from '../../src/library/create-pool.ts'
import { collected } from '../support/collect-garbage.ts'
import { nextEvent } from '../support/next-event.ts'
import { openPool } from '../support/pool-fixture.ts'

const POOLS = 50
const KEPT_BY_POOL_BYTES_MAX = 5_000
const KEPT_BY_THREAD_BYTES_MAX = 700

test('Pool.close leaves nothing of the pool in memory', async () => {
  const openAndClose = async (count: number): Promise<void> => {
    for (let round = 0; round < count; round += 10)
      await Promise.all(Array.from({ length: 10 }, async () => (await createPool({})).close()))
  }
  // What is loaded, compiled and cached once is nobody's leak.
  await openAndClose(10)
  const before = await memoryBytes()
  await openAndClose(POOLS)
  expect(((await memoryBytes()) - before) / POOLS).toBeLessThan(KEPT_BY_POOL_BYTES_MAX)
})

test('AttachedPool.close leaves nothing of it in its thread’s memory', async () => {
  const { handle } = await openPool({})
  const worker = new Worker(new URL('../fixtures/threads/attach-again.ts', import.meta.url), {
    workerData: { handle, times: POOLS },
    execArgv: [],
  })
  try {
    const keptBytes = (await nextEvent(worker, 'message')) as number
    expect(keptBytes / POOLS).toBeLessThan(KEPT_BY_THREAD_BYTES_MAX)
  } finally {
    await worker.terminate()
  }
})

async function memoryBytes(): Promise<number> {
  await collected()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
