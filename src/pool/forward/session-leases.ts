/** The leases of a forward's clients, as operators see them. */
import { type ConnectionFacts, connectionFacts } from '../lease/connection-facts.ts'
import type { LeaseRecord } from '../lease/lease-record.ts'
import type { SplicedEnds } from './spliced-ends.ts'

export type SessionLease = { readonly record: LeaseRecord; readonly ends: SplicedEnds }

/** A lease of a forward's client. Plain data, of the same shape as one that a caller of the API holds. */
export type SessionLeaseRow = {
  readonly id: string
  readonly target: string
  readonly reused: boolean
  readonly connection: ConnectionFacts
  readonly readOffset: number
  readonly writeOffset: number
  readonly ageMs: number
  readonly idleMs: number
  readonly lastOperation: string | null
  /** Where its client came in. */
  readonly origin: string
}

export class SessionLeases {
  readonly #held = new Set<SessionLease>()

  add(lease: SessionLease): void {
    this.#held.add(lease)
  }

  delete(lease: SessionLease): void {
    this.#held.delete(lease)
  }

  /** Ends the lease of this id, and has its client reset; false where none has it. */
  kill(id: string): boolean {
    for (const { record } of this.#held)
      if (record.isCalled(id)) {
        record.kill('killed')
        return true
      }
    return false
  }

  rows(): readonly SessionLeaseRow[] {
    return [...this.#held].map(({ record, ends }) => {
      const { id, terms, connection, ageMs, idleMs, lastOperation } = record
      return {
        id,
        target: terms.target,
        reused: terms.reused,
        connection: connectionFacts(connection),
        readOffset: ends.bytesIn,
        writeOffset: ends.bytesOut,
        ageMs: Math.round(ageMs),
        idleMs: Math.round(idleMs),
        lastOperation,
        origin: terms.tenant,
      }
    })
  }
}
