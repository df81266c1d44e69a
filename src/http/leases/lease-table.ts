/**
 * The leases that HTTP callers hold, by id, and tombstones of those that ended. The table belongs to the thread that
 * serves HTTP. Only its tenant sees a lease: to everyone else its id looks like an unknown one.
 */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { LeasePort } from '../ports.ts'
import { CallerLease, goneError, type OnFault } from './caller-lease.ts'

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
  /** Takes the one chance to tell a read that the connection broke; null where it did not break. */
  readonly tellBreak: (() => boolean) | null
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
  add(lease: LeasePort, tenant: string, side: CallerLease['side'] = 'client'): CallerLease {
    const held = new CallerLease(lease, tenant, this.#onFault, side)
    this.#held.set(lease.id, held)
    held.whenEnded(reason => this.#bury(held, reason))
    return held
  }

  /** The tenant's lease; with null anybody's. Errors: LEASE_NOT_FOUND, LEASE_GONE with its reason. */
  find(id: string, tenant: string | null): CallerLease {
    const found = this.#look(id, tenant)
    if (found instanceof CallerLease) return found
    throw goneError(found.reason)
  }

  /**
   * The tenant's lease, for a read. A connection that broke while nobody read has ended its lease, and the first read
   * after that is the one that meets its end.
   *
   * Errors: as `find`; CONNECTION_RESET once.
   */
  findToRead(id: string, tenant: string): CallerLease {
    const found = this.#look(id, tenant)
    if (found instanceof CallerLease) return found
    if (found.tellBreak?.())
      throw new SockpoolError('CONNECTION_RESET', 'the connection broke, and all bytes before that were read')
    throw goneError(found.reason)
  }

  /**
   * Gives a lease back. From the answer on it is gone for its caller, also where its connection is still sending.
   * Errors: none.
   */
  async release(held: CallerLease): Promise<Awaited<ReturnType<CallerLease['release']>>> {
    const result = await held.release()
    this.#bury(held, 'released')
    return result
  }

  /** Errors: LEASE_NOT_FOUND. */
  #look(id: string, tenant: string | null): CallerLease | Tombstone {
    const held = this.#held.get(id)
    if (held && (tenant === null || held.tenant === tenant))
      return held.lease.gone === null ? held : this.#tombstoneOf(held, held.lease.gone)
    const tombstone = this.#tombstones.get(id)
    const isTheirs = tenant === null || tombstone?.tenant === tenant
    const isKept = tombstone && isTheirs && this.#now() - tombstone.diedAt < this.#tombstoneMs
    if (tombstone && isKept) return tombstone
    throw new SockpoolError('LEASE_NOT_FOUND', 'you hold no lease with this id')
  }

  /** Whether it has, or had of late, a lease of this id, whosever. */
  knows(id: string): boolean {
    return this.#held.has(id) || this.#tombstones.has(id)
  }

  /** The tenant's leases, oldest first. */
  list(tenant: string): CallerLease[] {
    return [...this.#held.values()].filter(held => held.tenant === tenant && held.lease.gone === null)
  }

  stats(): { readonly held: number; readonly tombstones: number } {
    return { held: this.#held.size, tombstones: this.#tombstones.size }
  }

  #tombstoneOf(held: CallerLease, reason: GoneReason): Tombstone {
    const tellBreak = reason === 'reset' ? held.tellBreak : null
    return { tenant: held.tenant, reason, diedAt: this.#now(), tellBreak }
  }

  /** Safe to call twice; the first reason stands. */
  #bury(held: CallerLease, reason: GoneReason): void {
    const { id } = held.lease
    if (!this.#held.delete(id)) return
    const tombstone = this.#tombstoneOf(held, reason)
    const { diedAt } = tombstone
    this.#tombstones.set(id, tombstone)
    for (const [oldest, { diedAt: oldestDiedAt }] of this.#tombstones) {
      const isKept = this.#tombstones.size <= this.#tombstonesMax
      if (isKept && diedAt - oldestDiedAt < this.#tombstoneMs) break
      this.#tombstones.delete(oldest)
    }
  }
}
