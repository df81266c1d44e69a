/**
 * Starts that somebody named in a valid id, and that the list of members does not have: one may have come a moment ago. The
 * engine is asked once, and until it has answered nobody can tell.
 */
import { LIMITS } from '../base/limits.ts'

export class UnknownStarts {
  /** Asks the engine who is there; whether it has answered. It never rejects. */
  readonly #ask: () => Promise<boolean>
  /** In the order in which they were named. */
  readonly #starts = new Map<string, 'asked' | 'nobody'>()

  constructor(ask: () => Promise<boolean>) {
    this.#ask = ask
  }

  /** Whether the engine was asked and did not know it; it is asked now otherwise. */
  isNobody(start: string): boolean {
    const state = this.#starts.get(start)
    if (state === undefined) void this.#askFor(start)
    return state === 'nobody'
  }

  async #askFor(start: string): Promise<void> {
    const [oldest] = this.#starts.keys()
    if (oldest !== undefined && this.#starts.size >= LIMITS.fleetUnknownMax) this.#starts.delete(oldest)
    this.#starts.set(start, 'asked')
    const isAnswered = await this.#ask()
    if (isAnswered) this.#starts.set(start, 'nobody')
    else this.#starts.delete(start)
  }
}
