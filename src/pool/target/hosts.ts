/**
 * The hosts of one target: which is dialled first, and which are left alone for a while.
 *
 *   up ──so many failures in a row──► ejected ──its time is over──► slow_start ──► up
 *                                        ▲                              │
 *                                        └────── fails once more ───────┘
 *
 * Each ejection in a row lasts twice as long. A host that comes back takes a share that grows with time. One that is
 * ejected is still tried after all others: a call fails only where every host did. The only host is never ejected.
 * Hosts go by their place in the target's list.
 */
import { LIMITS } from '../../base/limits.ts'
import type { HostPort } from '../../config/address.ts'
import type { Balance } from '../../config/target.ts'

export type HostState = 'up' | 'ejected' | 'slow_start'

/** A host as operators see it. */
export type HostStats = {
  readonly host: string
  readonly port: number
  readonly state: HostState
  readonly connections: number
}

type Health = {
  /** In a row. */
  failures: number
  /** In a row. */
  ejections: number
  ejectedUntilMs: number
}

/** How many connections of each host are leased. */
export type LeasedByHost = () => ReadonlyMap<number, number>

export class Hosts {
  readonly #places: readonly HostPort[]
  readonly #balance: Balance
  readonly #leased: LeasedByHost
  readonly #now: () => number
  readonly #random: () => number
  readonly #health: readonly Health[]
  /** Whose turn is next. */
  #next = 0

  constructor(
    places: readonly HostPort[],
    balance: Balance,
    leased: LeasedByHost,
    now: () => number,
    random: () => number,
  ) {
    this.#places = places
    this.#balance = balance
    this.#leased = leased
    this.#now = now
    this.#random = random
    this.#health = places.map(() => ({ failures: 0, ejections: 0, ejectedUntilMs: 0 }))
  }

  get isOne(): boolean {
    return this.#places.length < 2
  }

  /** In the order in which one dial is to try them. */
  order(): readonly number[] {
    const all = this.#places.map((_place, host) => host)
    if (all.length < 2) return all
    const inTurn = all.map(host => (host + this.#next) % all.length)
    const ranked = this.#balance === 'priority' ? all : inTurn
    const leased = this.#balance === 'least-leased' ? this.#leased() : new Map<number, number>()
    const sorted = ranked.toSorted((one, other) => (leased.get(one) ?? 0) - (leased.get(other) ?? 0))
    const groups = new Map(sorted.map(host => [host, this.#group(host)]))
    const order = sorted.toSorted((one, other) => (groups.get(one) ?? 0) - (groups.get(other) ?? 0))
    this.#next = ((order[0] ?? 0) + 1) % all.length
    return order
  }

  /** Which idle connection to lend, of those that may be, the most recently used first; null where there is none. */
  choose<Candidate>(
    candidates: Iterable<Candidate>,
    hostOf: (candidate: Candidate) => number,
  ): Candidate | null {
    if (this.#places.length < 2) {
      for (const candidate of candidates) return candidate
      return null
    }
    const all = [...candidates]
    switch (this.#balance) {
      case 'round-robin':
        // The one that was used longest ago: so all have their turn.
        return all.at(-1) ?? null
      case 'priority':
        return leastBy(all, hostOf)
      case 'least-leased': {
        const leased = this.#leased()
        return leastBy(all, candidate => leased.get(hostOf(candidate)) ?? 0)
      }
      default:
        return this.#balance satisfies never
    }
  }

  succeeded(host: number): void {
    const health = this.#health[host]
    if (health === undefined) return
    health.failures = 0
    if (this.stateOf(host) === 'up') health.ejections = 0
  }

  failed(host: number): void {
    const health = this.#health[host]
    if (health === undefined || this.#health.length < 2) return
    const state = this.stateOf(host)
    if (state === 'ejected') return
    health.failures++
    if (state === 'up' && health.failures < LIMITS.hostFailures) return
    const ejectionMs = LIMITS.hostEjectionFirstMs * 2 ** health.ejections
    if (ejectionMs < LIMITS.hostEjectionLastMs) health.ejections++
    health.failures = 0
    health.ejectedUntilMs = this.#now() + Math.min(ejectionMs, LIMITS.hostEjectionLastMs)
  }

  stateOf(host: number): HostState {
    const health = this.#health[host]
    if (health === undefined || health.ejectedUntilMs === 0) return 'up'
    const backForMs = this.#now() - health.ejectedUntilMs
    if (backForMs < 0) return 'ejected'
    return backForMs < LIMITS.hostSlowStartMs ? 'slow_start' : 'up'
  }

  /** `connections`: how many each host has. */
  stats(connections: ReadonlyMap<number, number>): HostStats[] {
    return this.#places.map(({ host, port }, index) => ({
      host,
      port,
      state: this.stateOf(index),
      connections: connections.get(index) ?? 0,
    }))
  }

  /** Those that are up come before those that come back, and those before the ejected, the next to come back first. */
  #group(host: number): number {
    const state = this.stateOf(host)
    const untilMs = this.#health[host]?.ejectedUntilMs ?? 0
    switch (state) {
      case 'up':
        return 0
      case 'slow_start':
        return this.#random() * LIMITS.hostSlowStartMs < this.#now() - untilMs ? 0 : 1
      case 'ejected':
        return 2 + untilMs
      default:
        return state satisfies never
    }
  }
}

/** The first of those for which the measure is least. */
function leastBy<Candidate>(
  all: readonly Candidate[],
  measure: (candidate: Candidate) => number,
): Candidate | null {
  let best: { readonly candidate: Candidate; readonly measured: number } | null = null
  for (const candidate of all) {
    const measured = measure(candidate)
    if (best === null || measured < best.measured) best = { candidate, measured }
  }
  return best === null ? null : best.candidate
}
