/** All leases of a pool: how one is come by, and the record of each while it lasts. */
import { DEFAULTS } from '../base/defaults.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { Queue, type QueueEntry } from '../base/queue.ts'
import type { ResultTally } from '../base/result-tally.ts'
import { aborted } from '../base/wait.ts'
import type { IoConnection } from '../threads/io-connection.ts'
import { runWithin } from '../tracing/caller-trace.ts'
import type { Acquired } from './attached/attached-thread.ts'
import { originOf } from './lease/call-site.ts'
import { type ExchangeReply, exchangeBy, type Held } from './lease/exchange.ts'
import type { JudgedExchange } from './lease/exchange-request.ts'
import { keepAliveSwitch } from './lease/keep-alive-switch.ts'
import { LeaseEnds } from './lease/lease-ends.ts'
import type { LeaseHolder } from './lease/lease-keeper.ts'
import { LeaseNews } from './lease/lease-news.ts'
import { EXCHANGE_TRAITS, type LeaseAsking, type ReaderTraits } from './lease/lease-options.ts'
import { LeaseRecord } from './lease/lease-record.ts'
import type { LeaseOrigin } from './lease/lease-report.ts'
import type { LeaseRequest } from './lease/lease-request.ts'
import { LeaseSpan } from './lease/lease-span.ts'
import { NestedUses } from './lease/nested-uses.ts'
import type { SharedHeld } from './multiplex/shared-connection.ts'
import type { PoolDeps } from './pool-deps.ts'
import { PooledLease, type PooledLeaseKind, type PooledLeaseOwner } from './pooled-lease.ts'
import { type AcceptedLease, type AcceptedTerms, termsOfAccepted } from './server/accepted-connection.ts'
import { LeaseListeners } from './server/lease-listeners.ts'
import type { DialParent } from './target/dial-parent.ts'
import type { Refusal } from './target/release-result.ts'
import type { Slot } from './target/slot.ts'
import type { TargetPool } from './target/target-pool.ts'
import type { AdHocTarget, TargetPools } from './target/target-pools.ts'
import type { WaiterCount } from './target/waiter-count.ts'

/** A lease that counts; of a target's pool, or of none where it was accepted. */
type HeldLease = { readonly record: LeaseRecord; readonly pool: TargetPool | null }

export type LeasesDeps = Pick<
  PoolDeps,
  'fleet' | 'parse' | 'defaultTtl' | 'onEvent' | 'leasesMax' | 'connectionsMax' | 'news' | 'leaseIds'
> & {
  readonly pools: TargetPools
  readonly waiterCount: WaiterCount
  readonly now: () => number
  readonly isClosed: () => boolean
  /** Keeps the process alive for an answer of the I/O workers. */
  readonly awaited: <T>(answer: Promise<T>) => Promise<T>
}

/** Of a connection that is nobody's: no caller's tenant is called like this, so that it gets none that lay idle for one. */
const NO_TENANT = '\0shared'

export class Leases {
  readonly nested: NestedUses = new NestedUses()
  /** Leases of connections that came to us. */
  readonly listeners: LeaseListeners
  /** How many there may be. */
  max: number
  readonly #deps: LeasesDeps
  readonly #told: LeaseNews
  readonly #held = new Queue<HeldLease>()
  readonly #owner: PooledLeaseOwner

  constructor(deps: LeasesDeps) {
    this.#deps = deps
    this.#told = new LeaseNews(deps.news, error => deps.onEvent?.({ kind: 'fault', error }))
    this.max = deps.leasesMax
    this.#owner = {
      ...deps,
      onGiven: (lease, given) => this.#told.ended(lease, given),
      onEnded: ({ entry }) => {
        if (entry !== null) this.#held.remove(entry as QueueEntry<HeldLease>)
      },
    }
    this.listeners = new LeaseListeners({
      ...deps,
      connectionsMax: deps.connectionsMax ?? LIMITS.channelsMax,
      makeLease: terms => this.#accepted(terms),
      onFault: error => deps.onEvent?.({ kind: 'fault', error }),
    })
  }

  get size(): number {
    return this.#held.size
  }

  [Symbol.iterator](): Iterator<LeaseRecord> {
    return Array.from(this.#held, ({ value }) => value.record)[Symbol.iterator]()
  }

  /** Bytes that leases of this thread keep to be read again. */
  get replayBytes(): number {
    let bytes = 0
    for (const lease of this) bytes += lease.replayBytes
    return bytes
  }

  /** Ends the lease of this id, or the accepted connection; null where none has it. */
  kill(id: string): 'lease' | 'connection' | null {
    for (const lease of this)
      if (lease.isCalled(id)) {
        lease.kill('killed')
        return 'lease'
      }
    return this.listeners.kill(id) ? 'connection' : null
  }

  /** To be called now and then. */
  sweep(): void {
    for (const { value } of this.#held) value.record.clock.look()
  }

  /** Ends those that may not go on; how many. */
  revoke(mayGoOn: (lease: LeaseRecord, pool: TargetPool | undefined) => boolean): number {
    let count = 0
    for (const { value } of [...this.#held]) {
      const { record, pool } = value
      if (mayGoOn(record, pool ?? undefined)) continue
      record.kill('revoked')
      count++
    }
    return count
  }

  killAll(): void {
    for (const lease of this) lease.kill('killed')
  }

  /** Resolves when those that are held now have ended. */
  async allEnded(): Promise<void> {
    await Promise.all(Array.from(this, lease => lease.ended))
  }

  /** A lease in the hands of this thread; no promise where a connection is idle. Errors: as `acquire`, at once or later. */
  hold(target: string | AdHocTarget, request: LeaseRequest, traits: ReaderTraits): Held | Promise<Held> {
    const make = (record: LeaseRecord): LeaseEnds => new LeaseEnds(record, traits)
    return this.#tryHold(target, request, make) ?? this.acquire(target, request, 0, make).then(heldOf)
  }

  /** One round trip on a connection to itself. Errors: those of `hold`, and of the trip. */
  exchange(
    target: string | AdHocTarget,
    exchange: JudgedExchange,
    tally: ResultTally | null = null,
  ): Promise<ExchangeReply> {
    const hold = (request: LeaseRequest): Held | Promise<Held> => this.hold(target, request, EXCHANGE_TRAITS)
    return exchangeBy(hold, exchange, this.#deps.now, tally)
  }

  #tryHold(
    target: string | AdHocTarget,
    request: LeaseRequest,
    make: (record: LeaseRecord) => LeaseEnds,
  ): Held | null {
    if (request.signal?.aborted) return null
    const pool = this.#judged(target, request, 0)
    try {
      const held = pool.tryLease(request, (slot, connection) => {
        const keeper = this.#record(pool, slot, connection, request, originOf(request.origin, pool.target))
        const ends = keeper.begin(0, make)
        this.#told.begun(keeper, 0)
        this.#traced(keeper, LeaseSpan.begin(pool, request), slot)
        return { keeper, ends }
      })
      if (held !== null) runWithin(held.keeper.span?.within, () => pool.tally?.acquired.succeeded(0))
      return held
    } catch (error) {
      this.#refused(target, request, error)
      throw error
    }
  }

  /** The target's pool, where one more lease may be had of it. Errors: QUEUE_FULL, WOULD_DEADLOCK, those of `find`. */
  #judged(target: string | AdHocTarget, request: LeaseRequest, thread: number): TargetPool {
    const refusal = this.#refusal(1)
    if (refusal !== null) {
      this.#refused(target, request, refusal)
      throw refusal
    }
    const { tenant, waitMs } = request
    const pool = this.#deps.pools.find(target, tenant)
    try {
      if (thread === 0 && waitMs !== 0) this.nested.assertNotStarved(pool.name, pool.target.pool.max)
    } catch (error) {
      this.#refused(target, request, error)
      throw error
    }
    return pool
  }

  /** Counts a lease that is refused before it waits for anything, and gives it a span. */
  #refused(target: string | AdHocTarget, request: LeaseRequest, error: unknown): void {
    const { pools } = this.#deps
    const within = LeaseSpan.refused(pools.labelOf(target), request, error)
    runWithin(within, () => pools.tallyOf(target)?.acquired.failed(0, error))
  }

  /** A lease whose ends `make` makes, on the pool's thread (0) or for an attached one. Errors: as `lease`. */
  async acquire<Holder extends LeaseHolder>(
    target: string | AdHocTarget,
    request: LeaseRequest,
    thread: number,
    make: (record: LeaseRecord) => Holder,
  ): Promise<Acquired<Holder>> {
    const { tenant, weight, wish, origin: said, signal, timeoutMs, waitMs } = request
    const startedMs = this.#deps.now()
    const pool = this.#judged(target, request, thread)
    const origin = originOf(said, pool.target)
    const boundMs = Math.min(waitMs ?? pool.target.pool.waitTimeoutMs, timeoutMs ?? Infinity)
    const passedMs = (): number => this.#deps.now() - startedMs
    const span = LeaseSpan.begin(pool, request)
    const dialParent = span?.dialParent
    let place: Slot | null = null
    try {
      for (;;) {
        const leftMs = boundMs === 0 ? 0 : Math.max(1, boundMs - passedMs())
        const acquired = await pool.lease(
          { tenant, weight, wish, signal, waitMs: leftMs, allowedMs: boundMs, dialParent },
          (slot, connection) => {
            place = slot
            const record = this.#record(pool, slot, connection, request, origin)
            return { record, holder: record.begin(thread, make) }
          },
        )
        const { record } = acquired
        // In the turns since the connection came free the caller may have left, the pool closed, or others filled it.
        const late = signal?.aborted ? aborted('the wait for a connection', signal) : this.#refusal(0)
        if (late === null && !isStale(record)) {
          const ms = passedMs()
          this.#told.begun(record, ms)
          this.#traced(record, span, place)
          runWithin(span?.within, () => pool.tally?.acquired.succeeded(ms))
          return acquired
        }
        // Nobody has heard of the lease: its connection is as it was.
        void record.giveBack(null, false)
        if (late !== null) throw late
      }
    } catch (error) {
      span?.failed(error)
      runWithin(span?.within, () => pool.tally?.acquired.failed(passedMs(), error))
      throw error
    }
  }

  /**
   * A connection of a target for calls of all tenants at once, which is no lease of anybody's. It keeps the process alive
   * by its holder's word, and ends by that, with its socket, or by an operator. `dialParent`: the call that it is for.
   */
  async share(pool: TargetPool, signal: AbortSignal, dialParent: DialParent | null): Promise<SharedHeld> {
    const { now } = this.#deps
    const asking = { tenant: NO_TENANT, waitMs: Infinity, signal, dialParent }
    return await pool.lease(asking, (slot, connection) => {
      connection.share()
      pool.share(slot, connection)
      const keeper = this.#record(pool, slot, connection, { ttlMs: null }, undefined, 'shared')
      const ends = keeper.begin(0, record => new LeaseEnds(record, EXCHANGE_TRAITS))
      const retires = (): Refusal | null => pool.control.retires(slot) ?? slot.spent(now(), 0)
      return { keeper, ends, retires }
    })
  }

  /** A lease on a connection that was accepted: it is served at once, and counts and expires once it is claimed. */
  #accepted({ connection, target, tenant, recorder, giveBack }: AcceptedTerms): AcceptedLease {
    const { fleet, parse, defaultTtl, onEvent, now, leaseIds } = this.#deps
    let entry: QueueEntry<HeldLease> | null = null
    const record = new LeaseRecord({
      terms: termsOfAccepted(target, tenant),
      connection,
      parse,
      now,
      recorder,
      ...(leaseIds && { newId: leaseIds }),
      giveBack: (refusal, graceful) => {
        const given = giveBack(refusal, graceful)
        if (entry !== null) this.#told.ended(record, given)
        return given
      },
      keepAlive: keepAliveSwitch(fleet),
      onExpired: expired => expired.kill('expired'),
      onEnded: () => {
        if (entry !== null) this.#held.remove(entry)
      },
      onLeak: () => {},
      onFault: error => onEvent?.({ kind: 'fault', error }),
    })
    const ends = record.begin(
      0,
      keeper => new LeaseEnds(keeper, { onReset: 'drain-then-raise', side: 'server' }),
    )
    const claim: AcceptedLease['claim'] = ttlMs => {
      const refusal = this.#refusal(1)
      if (refusal !== null) throw refusal
      entry = this.#held.add({ record, pool: null })
      const byDefault = defaultTtl === 'target' ? DEFAULTS.leaseTtlMs : null
      record.clock.handOut(ttlMs === undefined ? byDefault : ttlMs)
      this.#told.begun(record, 0)
    }
    return { record, ends, claim }
  }

  /** The record of a lease on the connection that a slot has just been leased with. */
  #record(
    pool: TargetPool,
    slot: Slot,
    connection: IoConnection,
    asking: LeaseAsking,
    origin: LeaseOrigin | undefined,
    kind: PooledLeaseKind = 'leased',
  ): LeaseRecord {
    const lease = new PooledLease(this.#owner, pool, slot, connection, asking, origin, kind)
    if (kind === 'leased') lease.entry = this.#held.add(lease)
    return lease.record
  }

  #traced(lease: LeaseRecord, span: LeaseSpan | null, slot: Slot | null): void {
    if (span === null) return
    lease.span = span
    span.acquired(lease, slot?.host ?? 0)
    // It ended before it had the span: nothing else will end that. To give it back again tells what became of it.
    if (lease.gone !== null) span.ended(lease, lease.giveBack(null, false))
  }

  /** Why no lease is given, or null where there is room for so many more. */
  #refusal(more: number): SockpoolError | null {
    if (this.#deps.isClosed()) return new SockpoolError('DRAINING', 'the pool is closed')
    if (this.#held.size + more <= this.max) return null
    return new SockpoolError('QUEUE_FULL', `${this.max} leases are held already`)
  }
}

/** It has served before, and its socket ended in the turns since it was handed out: it was not worth having. */
function isStale({ lost, gone, terms }: LeaseRecord): boolean {
  return terms.reused && (lost !== null || gone === 'reset' || gone === 'worker_lost')
}

function heldOf({ record, holder }: Acquired<LeaseEnds>): Held {
  return { keeper: record, ends: holder }
}
