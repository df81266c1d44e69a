/** How long callers lack permits: from the moment when the engine is asked until there is one more. */
import { DurationTally } from '../base/duration-tally.ts'

export class PermitLack {
  readonly waits: DurationTally = new DurationTally()
  #sinceMs: number | null = null

  /** The engine is told how many are lacking. */
  asked(lack: number, nowMs: number): void {
    this.#sinceMs = lack > 0 ? (this.#sinceMs ?? nowMs) : null
  }

  /** There are more than before. */
  got(nowMs: number): void {
    if (this.#sinceMs !== null) this.waits.observe(nowMs - this.#sinceMs)
    this.#sinceMs = null
  }
}
