/** How often, and for how long, something is tried again whose way to the service broke. */
import { CLIENT_LIMITS } from '../base/client-limits.ts'
import type { RetryBounds } from './client-options.ts'

export class RetryPlan {
  readonly #bounds: RetryBounds
  readonly #startedMs: number
  #tries = 0

  constructor(bounds: RetryBounds) {
    this.#bounds = bounds
    this.#startedMs = performance.now()
  }

  /** A try has failed: the milliseconds to pause before the next one, or null where it was the last. */
  next(): number | null {
    this.#tries++
    const { attempts, budgetMs } = this.#bounds
    if (this.#tries >= attempts) return null
    const full = Math.min(
      CLIENT_LIMITS.retryBackoffFirstMs * 2 ** (this.#tries - 1),
      CLIENT_LIMITS.retryBackoffLastMs,
    )
    const pauseMs = full / 2 + (Math.random() * full) / 2
    return performance.now() - this.#startedMs + pauseMs < budgetMs ? pauseMs : null
  }
}
