/**
 * Callers that wait for nobody, and would have a connection dialled, were there a permit for it: they wait a moment for that,
 * and then no longer. One whose turn it is by then waits for its dial, as it would have from the beginning.
 */
import { LIMITS } from '../../base/limits.ts'
import type { QueueEntry } from '../../base/queue.ts'
import type { WaitQueue } from './wait-queue.ts'
import type { Waiter } from './waiters.ts'

export type PermitWaitsDeps = {
  readonly queue: WaitQueue
  /** Waiters for whom no dial, no probe and no connection is under way: the last ones. */
  readonly unprovided: () => number
}

export class PermitWaits {
  readonly #deps: PermitWaitsDeps

  constructor(deps: PermitWaitsDeps) {
    this.#deps = deps
  }

  /** `served`: settles when the wait is over. */
  watch(entry: QueueEntry<Waiter>, served: Promise<unknown>): void {
    const timer = setInterval(() => this.#look(entry), LIMITS.permitWaitMs).unref()
    const stop = (): void => clearInterval(timer)
    served.then(stop, stop)
  }

  #look(entry: QueueEntry<Waiter>): void {
    const { queue, unprovided } = this.#deps
    const { waiters } = queue
    if (!entry.isQueued || waiters.positionOf(entry) <= waiters.size - unprovided()) return
    queue.fail(entry, 'POOL_EXHAUSTED', 'no connection is free, and none may be dialled')
  }
}
