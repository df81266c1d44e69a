/** Joins a thread to a pool that another thread of the process created. */
import { invalidOption, optionsObject } from '../base/options.ts'
import { AttachedPool } from '../pool/attached/attached-pool.ts'
import type { PoolHandle } from '../threads/attach-protocol.ts'

/**
 * The pool of another thread, on this one.
 *
 * `handle` is that pool's `handle`, which crosses threads as it is (`workerData`, `postMessage`). The pool's thread
 * must be free to answer: it gives the leases, though no byte of them passes it.
 * Errors: INVALID_REQUEST; WOULD_DEADLOCK on the thread that created the pool. That the pool is closed already the first call tells.
 */
export function attachPool(handle: PoolHandle): AttachedPool {
  if (typeof optionsObject(handle, 'handle').pool !== 'string' || !Number.isInteger(handle.threadId))
    throw invalidOption('handle', "must be a pool's handle")
  return new AttachedPool(handle)
}
