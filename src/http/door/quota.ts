/**
 * How much one token may hold at once. The pool bounds all callers together; this bounds each, so that one of them
 * cannot take everything. What is counted is what the HTTP API handed out, so a share ends with its lease; only the
 * connections that callers left behind are asked of the pool.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { AdHocTarget, TokenLimits } from '../parts.ts'

/** One lease's part of a quota, from the asking to the end of the lease. */
export interface Share {
  /** The lease is there: its caller waits no more. */
  leased(): void
  /** The lease has ended, or none came. Safe to call twice. */
  end(): void
}

export class Quota {
  readonly #limits: TokenLimits
  /** Leases held, and those that are being acquired. */
  #leases = 0
  #waiters = 0
  /** Uses of each described target. */
  readonly #targets = new Map<string, number>()
  readonly #countAbandoned: () => number
  /**
   * No fewer than `#countAbandoned` would say: each caller that leaves adds one at the most. Counting anew looks at
   * all targets of the pool, so that waits until this bound no longer admits a lease.
   */
  #abandonedMax = 0

  /** `countAbandoned`: connections dialled for callers of this token who have left. */
  constructor(limits: TokenLimits, countAbandoned: () => number) {
    this.#limits = limits
    this.#countAbandoned = countAbandoned
  }

  /** Takes a share for one lease. Errors: QUEUE_FULL, which says what bound was reached. */
  enter(target: string | AdHocTarget): Share {
    const described = typeof target === 'string' ? null : JSON.stringify(target)
    const { leases, waiters, targets } = this.#limits
    this.#check(this.#leases, leases, 'leases are held')
    this.#check(this.#waiters, waiters, 'requests wait for a lease')
    this.#checkConnections()
    if (described !== null && !this.#targets.has(described))
      this.#check(this.#targets.size, targets, 'described targets are in use')
    this.#leases++
    this.#waiters++
    if (described !== null) this.#targets.set(described, (this.#targets.get(described) ?? 0) + 1)
    let state: 'waiting' | 'leased' | 'ended' = 'waiting'
    const leased = (): void => {
      if (state !== 'waiting') return
      state = 'leased'
      this.#waiters--
    }
    const end = (): void => {
      if (state === 'ended') return
      if (state === 'waiting' && described !== null) this.#abandonedMax++
      leased()
      state = 'ended'
      this.#leases--
      if (described !== null) this.#leaveTarget(described)
    }
    return { leased, end }
  }

  stats(): { readonly leases: number; readonly waiters: number; readonly targets: number } {
    return { leases: this.#leases, waiters: this.#waiters, targets: this.#targets.size }
  }

  #checkConnections(): void {
    const { connections } = this.#limits
    if (connections === undefined) return
    const what = 'connections are open or being opened'
    this.#check(this.#leases, connections, what)
    if (this.#leases + this.#abandonedMax < connections) return
    this.#abandonedMax = this.#countAbandoned()
    this.#check(this.#leases + this.#abandonedMax, connections, what)
  }

  #check(used: number, bound: number | undefined, what: string): void {
    if (bound === undefined || used < bound) return
    throw new SockpoolError('QUEUE_FULL', `the bound of this token is reached: ${bound} ${what}`)
  }

  #leaveTarget(described: string): void {
    const uses = (this.#targets.get(described) ?? 1) - 1
    if (uses === 0) this.#targets.delete(described)
    else this.#targets.set(described, uses)
  }
}
