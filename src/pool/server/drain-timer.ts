/** The time that is left to those who may stay for a while. It can be cut short, never prolonged. */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'

export class DrainTimer {
  readonly #onOver: () => void
  #timer: NodeJS.Timeout | null = null
  #overAtMs = Number.POSITIVE_INFINITY
  #isStopped = false

  constructor(onOver: () => void) {
    this.#onOver = onOver
  }

  /** Calls `onOver` in so many milliseconds, unless that is due sooner already. Errors: INVALID_REQUEST. */
  within(drainMs: number): void {
    if (!(drainMs >= 0)) {
      const message = 'must be 0 or more milliseconds'
      throw new SockpoolError('INVALID_REQUEST', `drainMs: ${message}`, {
        errors: [{ path: 'drainMs', message }],
      })
    }
    const overAtMs = performance.now() + drainMs
    if (this.#isStopped || overAtMs >= this.#overAtMs) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#overAtMs = overAtMs
    // Whoever stays keeps the process alive.
    this.#timer = setTimeout(this.#onOver, Math.min(drainMs, LIMITS.timerMsMax)).unref()
  }

  /** Nobody stays any more. */
  stop(): void {
    this.#isStopped = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }
}
