/**
 * What the callers of one target can expect: how long a lease is held, and so how long a caller waits, and who holds
 * the connections.
 */
import type { ErrorDetails, LeaseHolding } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Slots } from './slots.ts'

export class Demand {
  readonly #slots: Slots
  readonly #now: () => number
  /** Of the leases that have ended, the last ones counting most; null before the first. */
  #heldMs: number | null = null

  constructor(slots: Slots, now: () => number) {
    this.#slots = slots
    this.#now = now
  }

  /** A lease has ended that was held for so long. */
  ended(heldMs: number): void {
    this.#heldMs = this.#heldMs === null ? heldMs : this.#heldMs + (heldMs - this.#heldMs) / 8
  }

  /** Milliseconds until the caller at this place in the queue is served; undefined where nobody knows. */
  expectedWaitMs(position: number): number | undefined {
    const { max } = this.#slots
    const heldMs = this.#heldMs ?? this.#halfAgeMs()
    // Without a permit nobody is served, and nobody knows when there will be one.
    return heldMs === undefined || max === 0 ? undefined : Math.ceil((position * heldMs) / max)
  }

  /** What the errors of a wait tell. */
  detailsAt(position: number): Pick<ErrorDetails, 'expectedWaitMs' | 'holders'> {
    const expectedWaitMs = this.expectedWaitMs(position)
    return { ...(expectedWaitMs !== undefined && { expectedWaitMs }), holders: this.#holders() }
  }

  #holders(): LeaseHolding[] {
    const counts = new Map<string, number>()
    for (const { state, tenant } of this.#slots.all)
      if (state.kind === 'leased' && tenant !== null) counts.set(tenant, (counts.get(tenant) ?? 0) + 1)
    const holders = Array.from(counts, ([tenant, leases]) => ({ tenant, leases }))
    return holders.sort((one, other) => other.leases - one.leases).slice(0, LIMITS.holdersMax)
  }

  /** Before any lease has ended, the present ones tell something; a guess that refuses nobody too early is half of it. */
  #halfAgeMs(): number | undefined {
    const now = this.#now()
    const ages = this.#slots.all.flatMap(({ state }) =>
      state.kind === 'leased' ? [now - state.sinceMs] : [],
    )
    return ages.length === 0 ? undefined : ages.reduce((sum, age) => sum + age, 0) / ages.length / 2
  }
}
