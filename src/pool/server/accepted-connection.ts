/**
 * A connection that a listener accepted: it waits for a call that takes it, and is that caller's lease from then on. It is
 * served from the start, so that what its client sends first, and that it ended its side, is there to be read.
 *
 *   waiting ──claim──► leased ──► closing ──► gone
 *      └───────────────drop─────────┘
 */
import type { IoConnection } from '../../threads/io-connection.ts'
import type { LeaseEnds } from '../lease/lease-ends.ts'
import type { LeaseTerms } from '../lease/lease-keeper.ts'
import type { LeaseRecord } from '../lease/lease-record.ts'
import { FlightRecorder } from '../target/flight-recorder.ts'
import { type ConnectionReport, type ConnectionStats, connectionRow } from '../target/pool-stats.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'

/** What a lease of an accepted connection is made of. */
export type AcceptedTerms = {
  readonly connection: IoConnection
  readonly target: string
  readonly tenant: string
  readonly recorder: FlightRecorder
  readonly giveBack: (refusal: Refusal | null, graceful: boolean) => Promise<ReleaseResult>
}

/** Of any lease on a connection that was accepted: it begins without a ttl, and serves nobody after it. */
export function termsOfAccepted(target: string, tenant: string): LeaseTerms {
  return {
    target,
    tenant,
    reused: false,
    reuse: 'never',
    ttlMs: null,
    replayBytes: 0,
    allowTruncated: false,
    frame: null,
  }
}

/** A lease that nobody has been given yet. */
export type AcceptedLease = {
  readonly record: LeaseRecord
  readonly ends: LeaseEnds
  /** Counts it among the leases from now on, and has its ttl begin. Errors: QUEUE_FULL, DRAINING. */
  readonly claim: (ttlMs: number | null | undefined) => void
}

export type AcceptedConnectionDeps = {
  readonly connection: IoConnection
  /** What its lease shows as its target. */
  readonly target: string
  readonly tenant: string
  readonly now: () => number
  readonly makeLease: (terms: AcceptedTerms) => AcceptedLease
  /** Its socket is gone; called once. */
  readonly onGone: (accepted: AcceptedConnection) => void
}

export class AcceptedConnection {
  readonly #deps: AcceptedConnectionDeps
  readonly #flight: FlightRecorder
  readonly #createdMs: number
  readonly #lease: AcceptedLease
  #state: 'waiting' | 'leased' | 'closing' | 'gone' = 'waiting'

  constructor(deps: AcceptedConnectionDeps) {
    const { connection, target, tenant, now, makeLease } = deps
    this.#deps = deps
    this.#createdMs = now()
    this.#flight = new FlightRecorder(now)
    this.#flight.add('accept', 'ok')
    this.#lease = makeLease({
      connection,
      target,
      tenant,
      recorder: this.#flight,
      giveBack: (refusal, graceful) => this.#giveBack(refusal, graceful),
    })
    connection.listen({
      // It is never asked whether it may serve again: it may not.
      onChecked: () => {},
      onClosed: how => {
        const isUnclaimed = this.#state === 'waiting'
        this.#state = 'gone'
        this.#lease.record.connectionLost(how)
        if (isUnclaimed) this.#lease.record.forget()
        deps.onGone(this)
      },
    })
  }

  get id(): string {
    return this.#deps.connection.id
  }

  get state(): 'waiting' | 'leased' | 'closing' | 'gone' {
    return this.#state
  }

  get record(): LeaseRecord {
    return this.#lease.record
  }

  /** Makes it somebody's lease. Errors: QUEUE_FULL, DRAINING: it waits on. */
  claim(ttlMs: number | null | undefined): { readonly keeper: LeaseRecord; readonly ends: LeaseEnds } {
    const { record, ends, claim } = this.#lease
    claim(ttlMs)
    this.#state = 'leased'
    return { keeper: record, ends }
  }

  /** Ends its lease, claimed or not, and the connection at once. */
  kill(reason: 'killed' | 'revoked'): void {
    this.#lease.record.kill(reason)
  }

  /** Sends what was written and closes; what came in is still its holder's to read. */
  close(): void {
    this.#lease.ends.writer.close()
  }

  row(): ConnectionStats {
    const { connection, target, tenant, now } = this.#deps
    const state = this.#state === 'leased' ? 'leased' : this.#state === 'waiting' ? 'idle' : 'closing'
    const isLeased = state === 'leased'
    return connectionRow(connection, {
      target,
      tenant,
      state,
      ageMs: Math.round(now() - this.#createdMs),
      uses: state === 'idle' ? 0 : 1,
      lease: isLeased ? this.#lease.record : null,
    })
  }

  report(): ConnectionReport {
    return { ...this.row(), operations: this.#flight.rows() }
  }

  #giveBack(refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    const { connection } = this.#deps
    const reason = refusal ?? 'policy'
    if (this.#state !== 'gone') this.#state = 'closing'
    this.#flight.add('release', reason)
    if (graceful) connection.leaveClosing()
    else connection.abort()
    return Promise.resolve({ outcome: 'closed', reason })
  }
}
