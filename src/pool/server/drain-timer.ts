/** The time that is left to those who may stay for a while. It can be cut short, never prolonged. */
import { timerMs } from '../../base/timer.ts'

export class DrainTimer {
  readonly #onOver: () => void
  #timer: NodeJS.Timeout | null = null
  #overAtMs = Number.POSITIVE_INFINITY
  #isStopped = false

  constructor(onOver: () => void) {
    this.#onOver = onOver
  }

  /** Calls `onOver` in so many milliseconds, unless that is due sooner already. */
  within(drainMs: number): void {
    const overAtMs = performance.now() + drainMs
    if (this.#isStopped || overAtMs >= this.#overAtMs) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#overAtMs = overAtMs
    // Whoever stays keeps the process alive.
    this.#timer = setTimeout(this.#onOver, timerMs(drainMs)).unref()
  }

  /** Nobody stays any more. */
  stop(): void {
    this.#isStopped = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
  }
}
