/** Joins a thread to a pool that another thread of the process created. */
import { AttachedPool } from '../pool/attached/attached-pool.ts'
import type { PoolHandle } from '../threads/attach-protocol.ts'

/**
 * The pool of another thread, on this one.
 *
 * `handle` is that pool's `handle`, which crosses threads as it is (`workerData`, `postMessage`). The pool's thread
 * must be free to answer: it gives the leases, though no byte of them passes it.
 * Errors: WOULD_DEADLOCK on the thread that created the pool. That the pool is closed already the first call tells.
 */
export function attachPool(handle: PoolHandle): AttachedPool {
  return new AttachedPool(handle)
}
