/**
 * How much one token may hold at once. The pool bounds all callers together; a quota bounds one, so that no caller can
 * take everything. A quota counts what the HTTP API gave out, so a share ends with its lease; and each lease is one
 * connection, for a caller that leaves takes what was dialled for it along.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { TokenLimits } from '../../config/config.ts'
import type { TargetChoice } from '../ports.ts'

/** One lease's part of a quota, from the request for the lease to its end. */
export interface Share {
  /** The lease was granted: its caller no longer waits. */
  leased(): void
  /** The lease has ended, or was not granted. Safe to call twice. */
  end(): void
}

/** Leases that are held or being acquired, and those of them that still wait. */
export interface QuotaCounts {
  readonly counts: { readonly leases: number; readonly waiters: number }
  /** Counts one of both where that is within the bounds; false where another thread was faster. */
  enter(leasesMax: number, waitersMax: number): boolean
  leave(less: QuotaCounts['counts']): void
}

export class Quota {
  /** What holds for whoever enters next. */
  limits: TokenLimits
  readonly #counts: QuotaCounts
  /** Uses of each described target. */
  readonly #targets = new Map<string, number>()

  /** `counts`: where several threads count together. */
  constructor(limits: TokenLimits, counts: QuotaCounts = new OwnCounts()) {
    this.limits = limits
    this.#counts = counts
  }

  /** Takes a share for one lease. Errors: QUEUE_FULL, whose message names the limit that was reached. */
  enter(target: TargetChoice): Share {
    const described = typeof target === 'string' ? null : JSON.stringify(target)
    const { leases = Infinity, connections = Infinity, waiters = Infinity } = this.limits
    do this.#checkAll(described)
    while (!this.#counts.enter(Math.min(leases, connections), waiters))
    if (described !== null) this.#targets.set(described, (this.#targets.get(described) ?? 0) + 1)
    let state: 'waiting' | 'leased' | 'ended' = 'waiting'
    const leased = (): void => {
      if (state !== 'waiting') return
      state = 'leased'
      this.#counts.leave({ leases: 0, waiters: 1 })
    }
    const end = (): void => {
      if (state === 'ended') return
      leased()
      state = 'ended'
      this.#counts.leave({ leases: 1, waiters: 0 })
      if (described !== null) this.#leaveTarget(described)
    }
    return { leased, end }
  }

  stats(): { readonly leases: number; readonly waiters: number; readonly targets: number } {
    return { ...this.#counts.counts, targets: this.#targets.size }
  }

  #checkAll(described: string | null): void {
    const { leases, connections, waiters, targets } = this.limits
    const used = this.#counts.counts
    this.#check(used.leases, leases, 'held leases')
    this.#check(used.waiters, waiters, 'requests that wait for a lease')
    this.#check(used.leases, connections, 'open connections')
    if (described !== null && !this.#targets.has(described))
      this.#check(this.#targets.size, targets, 'described targets in use')
  }

  #check(used: number, bound: number | undefined, what: string): void {
    if (bound === undefined || used < bound) return
    throw new SockpoolError('QUEUE_FULL', `this token has reached its limit of ${bound} ${what}`)
  }

  #leaveTarget(described: string): void {
    const uses = (this.#targets.get(described) ?? 1) - 1
    if (uses === 0) this.#targets.delete(described)
    else this.#targets.set(described, uses)
  }
}

/** The counts of one thread: between the look at them and the change nobody else comes. */
class OwnCounts implements QuotaCounts {
  readonly counts = { leases: 0, waiters: 0 }

  enter(): boolean {
    this.counts.leases++
    this.counts.waiters++
    return true
  }

  leave({ leases, waiters }: QuotaCounts['counts']): void {
    this.counts.leases -= leases
    this.counts.waiters -= waiters
  }
}
