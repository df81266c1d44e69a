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

export class Quota {
  /** What holds for whoever enters next. */
  limits: TokenLimits
  /** Leases that are held or being acquired. */
  #leases = 0
  #waiters = 0
  /** Uses of each described target. */
  readonly #targets = new Map<string, number>()

  constructor(limits: TokenLimits) {
    this.limits = limits
  }

  /** Takes a share for one lease. Errors: QUEUE_FULL, whose message names the limit that was reached. */
  enter(target: TargetChoice): Share {
    const described = typeof target === 'string' ? null : JSON.stringify(target)
    const { leases, connections, waiters, targets } = this.limits
    this.#check(this.#leases, leases, 'held leases')
    this.#check(this.#waiters, waiters, 'requests that wait for a lease')
    this.#check(this.#leases, connections, 'open connections')
    if (described !== null && !this.#targets.has(described))
      this.#check(this.#targets.size, targets, 'described targets in use')
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
