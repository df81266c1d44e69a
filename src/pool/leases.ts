/** All leases of a pool: how one is come by, and the record of each while it lasts. */
import { SockpoolError } from '../base/errors.ts'
import { Queue } from '../base/queue.ts'
import { aborted } from '../base/wait.ts'
import type { IoConnection } from '../threads/io-connection.ts'
import type { Acquired } from './attached/attached-thread.ts'
import { originOf } from './lease/call-site.ts'
import { keepAliveSwitch } from './lease/keep-alive-switch.ts'
import { LeaseEnds } from './lease/lease-ends.ts'
import type { LeaseHolder } from './lease/lease-keeper.ts'
import { EXCHANGE_TRAITS, type LeaseRequest } from './lease/lease-options.ts'
import { LeaseRecord } from './lease/lease-record.ts'
import type { LeaseOrigin } from './lease/lease-report.ts'
import { NestedUses } from './lease/nested-uses.ts'
import type { SharedHeld } from './multiplex/shared-connection.ts'
import type { PoolDeps } from './pool-deps.ts'
import type { Refusal } from './target/release-result.ts'
import type { Slot } from './target/slot.ts'
import type { TargetPool } from './target/target-pool.ts'
import type { AdHocTarget, TargetPools } from './target/target-pools.ts'

export type LeasesDeps = Pick<
  PoolDeps,
  'fleet' | 'parse' | 'replayBytes' | 'defaultTtl' | 'onEvent' | 'leasesMax'
> & {
  readonly pools: TargetPools
  readonly now: () => number
  readonly isClosed: () => boolean
  /** Keeps the process alive for an answer of the I/O workers. */
  readonly awaited: <T>(answer: Promise<T>) => Promise<T>
}

/** Of a connection that is nobody's: no caller's tenant is called like this, so that it gets none that lay idle for one. */
const NO_TENANT = '\0shared'

export class Leases {
  readonly nested: NestedUses = new NestedUses()
  /** How many there may be. */
  max: number
  readonly #deps: LeasesDeps
  readonly #held = new Queue<LeaseRecord>()
  readonly #pools = new WeakMap<LeaseRecord, TargetPool>()

  constructor(deps: LeasesDeps) {
    this.#deps = deps
    this.max = deps.leasesMax
  }

  get size(): number {
    return this.#held.size
  }

  [Symbol.iterator](): Iterator<LeaseRecord> {
    return Array.from(this.#held, ({ value }) => value)[Symbol.iterator]()
  }

  /** Ends the lease of this id; false where none that is held has it. */
  kill(id: string): boolean {
    for (const lease of this)
      if (lease.isCalled(id)) {
        lease.kill('killed')
        return true
      }
    return false
  }

  /** To be called now and then. */
  sweep(): void {
    for (const { value } of this.#held) value.clock.look()
  }

  /** Ends those that may not go on; how many. */
  revoke(mayGoOn: (lease: LeaseRecord, pool: TargetPool | undefined) => boolean): number {
    let count = 0
    for (const lease of this) {
      if (mayGoOn(lease, this.#pools.get(lease))) continue
      lease.kill('revoked')
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

  /** A lease whose ends `make` makes, on the pool's thread (0) or for an attached one. Errors: as `lease`. */
  async acquire<Holder extends LeaseHolder>(
    target: string | AdHocTarget,
    { tenant, weight, origin: said, ttlMs, signal, timeoutMs, waitMs, wish }: LeaseRequest,
    thread: number,
    make: (record: LeaseRecord) => Holder,
  ): Promise<Acquired<Holder>> {
    const refusal = this.#refusal(1)
    if (refusal !== null) throw refusal
    const startedMs = this.#deps.now()
    const pool = this.#deps.pools.find(target, tenant)
    if (thread === 0 && waitMs !== 0) this.nested.assertNotStarved(pool.name, pool.target.pool.max)
    const origin = originOf(said, pool.target)
    const boundMs = Math.min(waitMs ?? pool.target.pool.waitTimeoutMs, timeoutMs ?? Infinity)
    for (;;) {
      const leftMs = boundMs === 0 ? 0 : Math.max(1, boundMs - (this.#deps.now() - startedMs))
      const acquired = await pool.lease(
        { tenant, weight, wish, signal, waitMs: leftMs, allowedMs: boundMs },
        (slot, connection) => {
          const record = this.#record(pool, slot, connection, ttlMs, origin)
          return { record, holder: record.begin(thread, make) }
        },
      )
      const { record } = acquired
      // In the turns since the connection came free the caller may have left, the pool closed, or others filled it.
      const late = signal?.aborted ? aborted('the wait for a connection', signal) : this.#refusal(0)
      // One that has served before, and ended in those turns, was not worth having.
      const isStale = record.lost !== null && record.terms.reused
      if (late === null && !isStale) return acquired
      // Nobody has heard of the lease: its connection is as it was.
      void record.giveBack(null, false)
      if (late !== null) throw late
    }
  }

  /**
   * A connection of a target for calls of all tenants at once, which is no lease of anybody's. It keeps the process alive
   * by its holder's word, and ends by that, with its socket, or by an operator.
   */
  async share(pool: TargetPool, signal: AbortSignal): Promise<SharedHeld> {
    const { now } = this.#deps
    return await pool.lease({ tenant: NO_TENANT, waitMs: Infinity, signal }, (slot, connection) => {
      connection.share()
      pool.share(slot, connection)
      const keeper = this.#record(pool, slot, connection, null, undefined, 'shared')
      const ends = keeper.begin(0, record => new LeaseEnds(record, EXCHANGE_TRAITS))
      const retires = (): Refusal | null => pool.control.retires(slot) ?? slot.spent(now(), 0)
      return { keeper, ends, retires }
    })
  }

  /** The record of a lease on the connection that a slot has just been leased with. */
  #record(
    pool: TargetPool,
    slot: Slot,
    connection: IoConnection,
    ttlMs: number | null | undefined,
    origin: LeaseOrigin | undefined,
    kind: 'leased' | 'shared' = 'leased',
  ): LeaseRecord {
    const { fleet, parse, replayBytes, defaultTtl, onEvent, now } = this.#deps
    const { name, target } = pool
    const record = new LeaseRecord({
      terms: {
        target: name,
        tenant: slot.tenant ?? '',
        reused: slot.uses > 1,
        reuse: target.reuse,
        ttlMs: ttlMs === undefined ? (defaultTtl === 'target' ? target.pool.leaseTtlMs : null) : ttlMs,
        replayBytes,
        allowTruncated: target.tls !== false && target.tls.allowTruncated === true,
        frame: target.frame ?? null,
      },
      connection,
      parse,
      now,
      recorder: kind === 'leased' ? slot.flight : undefined,
      leakDetectionMs: kind === 'leased' ? target.leakDetectionMs : undefined,
      origin,
      giveBack: (refusal, graceful) => this.#deps.awaited(pool.release(slot, refusal, graceful)),
      keepAlive: keepAliveSwitch(fleet),
      onExpired: expired => expired.kill('expired'),
      onEnded: () => {
        if (entry !== null) this.#held.remove(entry)
        if (slot.lease === record) slot.lease = null
      },
      onLeak: kind => onEvent?.({ kind, lease: record }),
      onFault: error => onEvent?.({ kind: 'fault', error }),
    })
    const entry = kind === 'leased' ? this.#held.add(record) : null
    this.#pools.set(record, pool)
    slot.lease = record
    return record
  }

  /** Why no lease is given, or null where there is room for so many more. */
  #refusal(more: number): SockpoolError | null {
    if (this.#deps.isClosed()) return new SockpoolError('DRAINING', 'the pool is closed')
    if (this.#held.size + more <= this.max) return null
    return new SockpoolError('QUEUE_FULL', `${this.max} leases are held already`)
  }
}
