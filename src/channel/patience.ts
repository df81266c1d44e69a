/**
 * How long a thread that has run out of work looks on before it sleeps. To fall asleep and to be woken take some tens of
 * microseconds, and whoever wakes it pays for a part of that. Where work comes again sooner, to look on costs less, and the
 * work is begun at once.
 *
 * It looks on only where the last sleep was as short as that, and never for longer: work that comes now and then costs two
 * looks at the clock. A turn that takes long although it had nothing to do was another's, who wants the processor: then
 * there is no looking on for a while.
 */
import { LIMITS } from '../base/limits.ts'

export class Patience {
  readonly #mostMs: number
  readonly #now: () => number
  /** The last sleep was short. */
  #isWorthwhile = false
  #sleptMs = 0
  /** Since when it looks on, and when its last turn was; null where it does not. */
  #onMs: { readonly since: number; last: number } | null = null
  #crowdedUntilMs = 0

  /** `mostMs`: no more than that; 0: none at all. */
  constructor(mostMs: number, now: () => number = () => performance.now()) {
    this.#mostMs = mostMs
    this.#now = now
  }

  /** A turn had nothing to do; whether there is to be another one. */
  get isLeft(): boolean {
    if (!this.#isWorthwhile) return false
    const nowMs = this.#now()
    const on = this.#onMs
    if (on === null) {
      if (nowMs < this.#crowdedUntilMs) return false
      this.#onMs = { since: nowMs, last: nowMs }
      return true
    }
    const isCrowded = nowMs - on.last > LIMITS.lookTurnMs
    if (isCrowded) this.#crowdedUntilMs = nowMs + LIMITS.lookPauseMs
    on.last = nowMs
    return !isCrowded && nowMs - on.since < this.#mostMs
  }

  /** There was something to do. */
  found(): void {
    this.#onMs = null
  }

  sleeps(): void {
    this.#onMs = null
    if (this.#mostMs > 0) this.#sleptMs = this.#now()
  }

  wakes(): void {
    if (this.#mostMs > 0) this.#isWorthwhile = this.#now() - this.#sleptMs < this.#mostMs
  }
}
