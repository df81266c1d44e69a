/** What happens in a service now and then, and is counted where it is told: what the egress rules refuse, and who dies. */
import { DENIED_REASONS, type DecisionReason } from '../base/egress-data.ts'

/** What becomes of most calls for another instance; others are counted once they have happened. */
const USUAL_RESULTS = ['ok', 'instance_unreachable', 'lease_gone'] as const

export type LostKind = 'io' | 'http'

export class ServiceCounts {
  // Each is there from the beginning: a series whose first value is 1 has not increased, to whoever watches it.
  readonly #denied = new Map<DecisionReason, number>(DENIED_REASONS.map(reason => [reason, 0]))
  readonly #lost = new Map<LostKind, number>([
    ['io', 0],
    ['http', 0],
  ])
  readonly #forwarded = new Map<string, number>(USUAL_RESULTS.map(result => [result, 0]))

  /** Dials that were refused, by reason. */
  get denied(): ReadonlyMap<DecisionReason, number> {
    return this.#denied
  }

  /** Threads that died, by kind. */
  get lost(): ReadonlyMap<LostKind, number> {
    return this.#lost
  }

  /** Calls that were another instance's to answer, by what came of them: `ok` or the code of the error, in small letters. */
  get forwarded(): ReadonlyMap<string, number> {
    return this.#forwarded
  }

  countForwarded(result: string): void {
    this.#forwarded.set(result, (this.#forwarded.get(result) ?? 0) + 1)
  }

  countDenied(reason: DecisionReason): void {
    this.#denied.set(reason, (this.#denied.get(reason) ?? 0) + 1)
  }

  countLost(kind: LostKind): void {
    this.#lost.set(kind, (this.#lost.get(kind) ?? 0) + 1)
  }
}
