/**
 * The leases that HTTP callers hold, by id, and tombstones of those that ended. The table belongs to the thread that
 * serves HTTP. Only its tenant sees a lease: to everyone else its id looks like an unknown one.
 */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { LeasePort } from '../ports.ts'
import { CallerLease, type OnFault } from './caller-lease.ts'

export interface LeaseTableOptions {
  /** Monotonic milliseconds; default: `performance.now`. */
  readonly now?: (() => number) | undefined
  /** Gets what fails after the end of a lease. */
  readonly onFault: OnFault
  /** Milliseconds for which a tombstone tells its reason; default: LIMITS.tombstoneMs. */
  readonly tombstoneMs?: number
  /** The most tombstones, of which the oldest goes first; default: LIMITS.tombstonesMax. */
  readonly tombstonesMax?: number
}

interface Tombstone {
  readonly tenant: string
  readonly reason: GoneReason
  readonly diedAt: number
}

export class LeaseTable {
  readonly #held = new Map<string, CallerLease>()
  /** In the order of death, which is the order of a Map. */
  readonly #tombstones = new Map<string, Tombstone>()
  readonly #now: () => number
  readonly #onFault: OnFault
  readonly #tombstoneMs: number
  readonly #tombstonesMax: number

  constructor(options: LeaseTableOptions) {
    this.#onFault = options.onFault
    this.#now = options.now ?? (() => performance.now())
    this.#tombstoneMs = options.tombstoneMs ?? LIMITS.tombstoneMs
    this.#tombstonesMax = options.tombstonesMax ?? LIMITS.tombstonesMax
  }

  /** Keeps a lease until it ends. */
  add(lease: LeasePort, tenant: string): CallerLease {
    const held = new CallerLease(lease, tenant, this.#onFault)
    this.#held.set(lease.id, held)
    held.whenEnded(reason => this.#bury(held, reason))
    return held
  }

  /** The tenant's lease. Errors: LEASE_NOT_FOUND, LEASE_GONE with its reason. */
  find(id: string, tenant: string): CallerLease {
    const held = this.#held.get(id)
    if (held?.tenant === tenant) {
      if (held.lease.gone !== null) throw goneError(held.lease.gone)
      return held
    }
    const tombstone = this.#tombstones.get(id)
    const isTold = tombstone?.tenant === tenant && this.#now() - tombstone.diedAt < this.#tombstoneMs
    if (tombstone && isTold) throw goneError(tombstone.reason)
    throw new SockpoolError('LEASE_NOT_FOUND', 'you hold no lease with this id')
  }

  /** The tenant's leases, oldest first. */
  list(tenant: string): CallerLease[] {
    return [...this.#held.values()].filter(held => held.tenant === tenant && held.lease.gone === null)
  }

  stats(): { readonly held: number; readonly tombstones: number } {
    return { held: this.#held.size, tombstones: this.#tombstones.size }
  }

  #bury(held: CallerLease, reason: GoneReason): void {
    const { id } = held.lease
    const diedAt = this.#now()
    this.#held.delete(id)
    this.#tombstones.set(id, { tenant: held.tenant, reason, diedAt })
    for (const [oldest, tombstone] of this.#tombstones) {
      const isKept = this.#tombstones.size <= this.#tombstonesMax
      if (isKept && diedAt - tombstone.diedAt < this.#tombstoneMs) break
      this.#tombstones.delete(oldest)
    }
  }
}

function goneError(reason: GoneReason): SockpoolError {
  return new SockpoolError('LEASE_GONE', `this lease has ended: ${reason}`, { reason })
}
