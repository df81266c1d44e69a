/**
 * How long to leave a failing target alone before dialling it again for nobody in particular: doubling from failure
 * to failure, with full jitter, so that the pools of many processes do not come back in step.
 */
import { LIMITS } from '../../base/limits.ts'

export class DialBackoff {
  readonly #now: () => number
  readonly #random: () => number
  #failures = 0
  #retryAtMs = 0

  constructor(now: () => number, random: () => number) {
    this.#now = now
    this.#random = random
  }

  get isOver(): boolean {
    return this.#now() >= this.#retryAtMs
  }

  succeeded(): void {
    this.#failures = 0
    this.#retryAtMs = 0
  }

  failed(): void {
    const doubled = LIMITS.dialBackoffFirstMs * 2 ** this.#failures
    const boundMs = Math.min(doubled, LIMITS.dialBackoffLastMs)
    if (doubled < LIMITS.dialBackoffLastMs) this.#failures++
    this.#retryAtMs = this.#now() + this.#random() * boundMs
  }
}
