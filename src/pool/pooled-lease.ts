/** What the record of a lease on a connection of a target is given, and what of the pool hears of it: one object for each lease. */
import { LIMITS } from '../base/limits.ts'
import type { QueueEntry } from '../base/queue.ts'
import type { IoConnection } from '../threads/io-connection.ts'
import { runWithin } from '../tracing/caller-trace.ts'
import { randomLeaseId } from './lease/lease-id.ts'
import type { LeaseAsking } from './lease/lease-options.ts'
import { LeaseRecord } from './lease/lease-record.ts'
import type { LeaseRecordDeps } from './lease/lease-record-deps.ts'
import type { LeaseOrigin } from './lease/lease-report.ts'
import type { LoanPort } from './lease/parse-port.ts'
import type { PoolDeps } from './pool-deps.ts'
import type { FlightRecorder } from './target/flight-recorder.ts'
import type { Refusal, ReleaseResult } from './target/release-result.ts'
import type { Slot } from './target/slot.ts'
import type { TargetPool } from './target/target-pool.ts'

export type PooledLeaseOwner = Pick<PoolDeps, 'fleet' | 'parse' | 'defaultTtl' | 'onEvent' | 'leaseIds'> & {
  readonly now: () => number
  /** Keeps the process alive for an answer of the I/O workers. */
  readonly awaited: <T>(answer: Promise<T>) => Promise<T>
  /** Of a lease that somebody knows of: what becomes of its connection. */
  readonly onGiven: (lease: LeaseRecord, given: Promise<ReleaseResult>) => void
  readonly onEnded: (lease: PooledLease) => void
}

/** `shared`: it is no caller's, but serves calls of all tenants. */
export type PooledLeaseKind = 'leased' | 'shared'

export class PooledLease implements LeaseRecordDeps {
  readonly terms: LeaseRecordDeps['terms']
  readonly connection: IoConnection
  readonly parse: LoanPort
  readonly recorder: FlightRecorder | undefined
  readonly leakDetectionMs: number | undefined
  readonly origin: LeaseOrigin | undefined
  readonly record: LeaseRecord
  readonly pool: TargetPool
  /** Its place among those that are held; null where it does not count. */
  entry: QueueEntry<{ readonly record: LeaseRecord }> | null = null
  readonly #owner: PooledLeaseOwner
  readonly #slot: Slot
  readonly #kind: PooledLeaseKind
  #isHeld = false

  constructor(
    owner: PooledLeaseOwner,
    pool: TargetPool,
    slot: Slot,
    connection: IoConnection,
    { ttlMs, replay = false }: LeaseAsking,
    origin: LeaseOrigin | undefined,
    kind: PooledLeaseKind,
  ) {
    const { name, target } = pool
    const { tls } = target
    this.#owner = owner
    this.#slot = slot
    this.#kind = kind
    this.pool = pool
    this.connection = connection
    this.parse = owner.parse
    this.recorder = kind === 'leased' ? slot.flight : undefined
    this.leakDetectionMs = kind === 'leased' ? target.leakDetectionMs : undefined
    this.origin = origin
    this.terms = {
      target: name,
      tenant: slot.tenant ?? '',
      reused: slot.uses > 1,
      reuse: target.reuse,
      ttlMs: ttlMs === undefined ? (owner.defaultTtl === 'target' ? target.pool.leaseTtlMs : null) : ttlMs,
      replayBytes: replay ? LIMITS.replayWindowBytes : 0,
      allowTruncated: tls !== false && tls.allowTruncated === true,
      frame: target.frame ?? null,
    }
    this.record = new LeaseRecord(this)
    slot.lease = this.record
  }

  now(): number {
    return this.#owner.now()
  }

  newId(): string {
    return this.#owner.leaseIds?.() ?? randomLeaseId()
  }

  giveBack(refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    const given = this.#owner.awaited(this.pool.release(this.#slot, refusal, graceful))
    if (this.#kind === 'leased') this.#owner.onGiven(this.record, given)
    this.record.span?.ended(this.record, given)
    return given
  }

  keepAlive(isOn: boolean): void {
    if (isOn === this.#isHeld) return
    this.#isHeld = isOn
    if (isOn) this.#owner.fleet.hold()
    else this.#owner.fleet.release()
  }

  onExpired(): void {
    this.record.kill('expired')
  }

  onEnded(): void {
    const { ageMs, gone, span } = this.record
    if (this.#kind === 'leased')
      runWithin(span?.within, () => this.pool.tally?.countLease(ageMs, gone ?? 'released'))
    this.#owner.onEnded(this)
    if (this.#slot.lease === this.record) this.#slot.lease = null
  }

  onLeak(kind: 'leak' | 'leak_over'): void {
    this.#owner.onEvent?.({ kind, lease: this.record })
  }

  onFault(error: unknown): void {
    this.#owner.onEvent?.({ kind: 'fault', error })
  }
}
