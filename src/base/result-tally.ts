/** Durations of what may fail, counted by what came of it: `ok`, or the code of the error in lower case. */
import { DurationTally } from './duration-tally.ts'
import { SockpoolError } from './errors.ts'

export const OK = 'ok'

export class ResultTally {
  readonly #ok = new DurationTally()
  /** There are no more of them than there are codes. */
  readonly #failures = new Map<string, DurationTally>()

  succeeded(ms: number): void {
    this.#ok.observe(ms)
  }

  failed(ms: number, error: unknown): void {
    this.ended(ms, SockpoolError.from(error).code.toLowerCase())
  }

  /** `result`: `ok`, or a code in lower case; from a closed set. */
  ended(ms: number, result: string): void {
    if (result === OK) return this.#ok.observe(ms)
    const tally = this.#failures.get(result) ?? new DurationTally()
    this.#failures.set(result, tally)
    tally.observe(ms)
  }

  /** How many have come to this so far. */
  countOf(result: string): number {
    return (result === OK ? this.#ok : this.#failures.get(result))?.count ?? 0
  }

  *[Symbol.iterator](): Generator<readonly [result: string, tally: DurationTally]> {
    yield [OK, this.#ok]
    yield* this.#failures
  }
}
