/** When something is looked at again: soon after a change, many changes being one, and when the next thing falls due. */
import { LIMITS } from '../base/limits.ts'
import { timerMs } from '../base/timer.ts'

export class LookTimer {
  readonly #look: () => void
  /** Restarted for each change, so that a change makes nothing. */
  readonly #soon: NodeJS.Timeout
  #isSoon = true
  #due: NodeJS.Timeout | null = null

  /** The first look comes by itself. */
  constructor(look: () => void) {
    this.#look = look
    this.#soon = setTimeout(() => this.#fire(), LIMITS.fleetLookMs).unref()
  }

  /** Something has changed. It costs nothing where that is known already. */
  changed(): void {
    if (this.#isSoon) return
    this.#isSoon = true
    this.#soon.refresh()
  }

  /** The next look is in so many milliseconds at the latest; Infinity: when something changes. */
  dueIn(ms: number): void {
    if (this.#due !== null) clearTimeout(this.#due)
    this.#due =
      ms === Number.POSITIVE_INFINITY
        ? null
        : setTimeout(this.#look, timerMs(Math.ceil(Math.max(ms, 1)))).unref()
  }

  stop(): void {
    this.#isSoon = true
    clearTimeout(this.#soon)
    if (this.#due !== null) clearTimeout(this.#due)
  }

  #fire(): void {
    this.#isSoon = false
    this.#look()
  }
}
