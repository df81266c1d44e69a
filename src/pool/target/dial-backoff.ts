/**
 * How long to leave a failing target alone before it is dialled again: doubling from failure to failure, with full
 * jitter, so that the pools of many processes do not come back in step. Dials that were under way together and fail
 * together are one failure.
 */
import { LIMITS } from '../../base/limits.ts'

export class DialBackoff {
  readonly #now: () => number
  readonly #random: () => number
  #failures = 0
  #retryAtMs = 0
  /** Counts the failures that count. */
  #round = 0

  constructor(now: () => number, random: () => number) {
    this.#now = now
    this.#random = random
  }

  /** Milliseconds until the target may be dialled. */
  get leftMs(): number {
    return Math.max(0, this.#retryAtMs - this.#now())
  }

  /** To be noted when a dial begins. */
  get round(): number {
    return this.#round
  }

  succeeded(): void {
    this.#failures = 0
    this.#retryAtMs = 0
  }

  /** `round`: when the dial began. */
  failed(round: number): void {
    if (round !== this.#round) return
    this.#round++
    const doubled = LIMITS.dialBackoffFirstMs * 2 ** this.#failures
    const boundMs = Math.min(doubled, LIMITS.dialBackoffLastMs)
    if (doubled < LIMITS.dialBackoffLastMs) this.#failures++
    this.#retryAtMs = this.#now() + this.#random() * boundMs
  }
}
