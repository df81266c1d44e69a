/**
 * The leases that HTTP callers hold, by id, and the tombstones of those that ended. It belongs to the thread that
 * serves HTTP. A lease is visible to its tenant alone: to any other, its id and an unknown one are the same.
 */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Lease } from '../parts.ts'
import { WriteTurns } from './write-turns.ts'

export interface LeaseTableOptions {
  /** Monotonic milliseconds; default: `performance.now`. */
  readonly now?: () => number
  /** Milliseconds a tombstone tells its reason; default LIMITS.tombstoneMs. */
  readonly tombstoneMs?: number
  /** Tombstones at the most, the oldest goes first; default LIMITS.tombstonesMax. */
  readonly tombstonesMax?: number
}

interface Tombstone {
  readonly tenant: string
  readonly reason: GoneReason
  readonly diedAt: number
}

/** One lease in the hands of an HTTP caller. */
export class HeldLease {
  readonly lease: Lease
  readonly tenant: string
  /** Two writes at once would mix their chunks: they take turns. */
  readonly writes: WriteTurns = new WriteTurns()
  #isReading = false

  constructor(lease: Lease, tenant: string) {
    this.lease = lease
    this.tenant = tenant
  }

  /** Runs one read; a second one at the same time is READ_BUSY, or neither would know its offset. */
  async read<T>(name: string, run: () => Promise<T>): Promise<T> {
    if (this.#isReading) throw new SockpoolError('READ_BUSY', 'another read of this lease is under way')
    this.#isReading = true
    try {
      return await this.lease.operation(name, run)
    } finally {
      this.#isReading = false
    }
  }
}

export class LeaseTable {
  readonly #held = new Map<string, HeldLease>()
  /** In the order of death, which is the order of a Map. */
  readonly #tombstones = new Map<string, Tombstone>()
  readonly #now: () => number
  readonly #tombstoneMs: number
  readonly #tombstonesMax: number

  constructor(options: LeaseTableOptions = {}) {
    this.#now = options.now ?? (() => performance.now())
    this.#tombstoneMs = options.tombstoneMs ?? LIMITS.tombstoneMs
    this.#tombstonesMax = options.tombstonesMax ?? LIMITS.tombstonesMax
  }

  /** Keeps a lease until it ends, for whatever reason. */
  add(lease: Lease, tenant: string): HeldLease {
    const held = new HeldLease(lease, tenant)
    this.#held.set(lease.id, held)
    void lease.ended.then(reason => this.#bury(held, reason))
    return held
  }

  /** The tenant's lease. Errors: LEASE_NOT_FOUND, LEASE_GONE with its reason. */
  find(id: string, tenant: string): HeldLease {
    const held = this.#held.get(id)
    if (held?.tenant === tenant) {
      if (held.lease.gone !== null) throw goneError(held.lease.gone)
      return held
    }
    const tombstone = this.#tombstones.get(id)
    const isTold = tombstone?.tenant === tenant && this.#now() - tombstone.diedAt < this.#tombstoneMs
    if (tombstone && isTold) throw goneError(tombstone.reason)
    throw new SockpoolError('LEASE_NOT_FOUND', 'there is no such lease')
  }

  /** The tenant's leases, oldest first. */
  list(tenant: string): HeldLease[] {
    return [...this.#held.values()].filter(held => held.tenant === tenant && held.lease.gone === null)
  }

  stats(): { readonly held: number; readonly tombstones: number } {
    return { held: this.#held.size, tombstones: this.#tombstones.size }
  }

  #bury(held: HeldLease, reason: GoneReason): void {
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
