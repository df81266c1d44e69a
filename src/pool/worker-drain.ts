/** Takes an I/O worker out of service while the pool runs: what it holds goes on, and nothing new comes to it. */
import type { CallBounds } from '../base/call-bounds.ts'
import { Wait } from '../base/wait.ts'
import type { PoolDeps } from './pool-deps.ts'
import type { TargetPools } from './target/target-pools.ts'

/** The thread that serves in its place; idle connections that were closed, and leased ones that were awaited. */
export type WorkerDrainResult = {
  readonly id: number
  readonly threadId: number
  readonly closed: number
  readonly leased: number
}

/** Errors: NOT_FOUND, WORKER_LOST; WAIT_TIMEOUT, ABORTED: it goes on. */
export function drainWorker(
  parts: Pick<PoolDeps, 'fleet' | 'news'>,
  pools: TargetPools,
  id: number,
  bounds: CallBounds,
): Promise<WorkerDrainResult> {
  const wait = new Wait<WorkerDrainResult>('the drain of the I/O worker', 'WAIT_TIMEOUT', bounds, () => {})
  drained(parts, pools, id).then(
    result => wait.resolve(result),
    error => wait.reject(error),
  )
  return wait.promise
}

async function drained(
  { fleet, news }: Pick<PoolDeps, 'fleet' | 'news'>,
  pools: TargetPools,
  id: number,
): Promise<WorkerDrainResult> {
  const { threadId, gone } = await fleet.drainWorker(id)
  news.tell('worker', null, { worker: id, reason: 'draining' })
  const retired = pools.all.map(pool => pool.control.retireWorkers())
  for (const pool of pools.all) pool.warm()
  await gone
  news.tell('worker', null, { worker: id, reason: 'drained' })
  const sum = (of: (counts: { closed: number; leased: number }) => number): number =>
    retired.reduce((count, counts) => count + of(counts), 0)
  return { id, threadId, closed: sum(({ closed }) => closed), leased: sum(({ leased }) => leased) }
}
