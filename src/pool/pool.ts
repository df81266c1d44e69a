/**
 * The pool: which targets there are, who holds what, and the one policy for all of them. It lives on the thread
 * that created it; the connections live in the I/O workers.
 */
import type { TextWrap } from '../base/answer-form.ts'
import { CallBounds } from '../base/call-bounds.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { durationOption, optionsObject, requireFunction, typeFault } from '../base/options.ts'
import { Queue } from '../base/queue.ts'
import { aborted, settledWithin } from '../base/wait.ts'
import type { Target } from '../config/target.ts'
import { AttachListener } from '../threads/attach-listener.ts'
import type { PoolHandle } from '../threads/attach-protocol.ts'
import type { IoConnection } from '../threads/io-connection.ts'
import type { Dial, ListenSpec } from '../threads/protocol.ts'
import { type Acquired, AttachedThread } from './attached/attached-thread.ts'
import { originOf } from './lease/call-site.ts'
import {
  type ExchangeReply,
  type ExchangeRequest,
  exchangeBy,
  type Held,
  useLease,
} from './lease/exchange.ts'
import { judgedExchange } from './lease/exchange-request.ts'
import { keepAliveSwitch } from './lease/keep-alive-switch.ts'
import { Lease } from './lease/lease.ts'
import { LeaseEnds } from './lease/lease-ends.ts'
import type { LeaseHolder } from './lease/lease-keeper.ts'
import {
  EXCHANGE_TRAITS,
  judgedLease,
  type LeaseOptions,
  type LeaseRequest,
  type ReaderTraits,
} from './lease/lease-options.ts'
import { type LeaseOrigin, LeaseRecord } from './lease/lease-record.ts'
import { NestedUses } from './lease/nested-uses.ts'
import type { ParseCall, TenantCall } from './lease/parse-port.ts'
import type { Fleet, PoolDeps } from './pool-deps.ts'
import type { ConnectionHandler, Server } from './server/server.ts'
import { type ListenOptions, Servers } from './server/servers.ts'
import { type ConnectionStats, type PoolStats, rowsOf, type TargetStats } from './target/pool-stats.ts'
import type { Slot } from './target/slot.ts'
import { TargetPool, type TargetPoolDeps } from './target/target-pool.ts'
import { type AdHocTarget, TargetPools } from './target/target-pools.ts'
import { WaiterCount } from './target/waiter-count.ts'

export class Pool implements AsyncDisposable {
  readonly #deps: PoolDeps
  readonly #now: () => number
  readonly #pools: TargetPools
  readonly #leases = new Queue<LeaseRecord>()
  readonly #waiterCount: WaiterCount
  readonly #nested = new NestedUses()
  readonly #servers: Servers
  readonly #sweep: NodeJS.Timeout
  #attached: AttachListener | null = null
  #closed: Promise<void> | null = null

  constructor(deps: PoolDeps) {
    this.#deps = deps
    this.#now = deps.now ?? (() => performance.now())
    this.#waiterCount = new WaiterCount(deps.waitersMax, deps.fleet)
    this.#pools = new TargetPools(deps.targets, deps, (name, target, dial, origin) =>
      this.#open(name, target, dial, origin),
    )
    this.#servers = new Servers({
      ...deps,
      now: this.#now,
      makeHold: () => keepAliveSwitch(deps.fleet),
      onFault: error => deps.onEvent?.({ kind: 'fault', error }),
    })
    this.#sweep = setInterval(() => this.#pools.sweep(this.#now()), LIMITS.sweepIntervalMs)
    this.#sweep.unref()
    for (const pool of this.#pools.all) pool.warm()
  }

  /**
   * Leases a connection of a named target, or of a described one.
   *
   * Errors: TARGET_NOT_FOUND, TARGET_DENIED, INVALID_REQUEST, POOL_EXHAUSTED (`waitMs: 0` and none free),
   * WAIT_TIMEOUT, WOULD_DEADLOCK, QUEUE_FULL, BREAKER_OPEN, ABORTED, DRAINING; those of the dial: CONNECT_REFUSED,
   * CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, TLS_FAILED, DIALOG_FAILED, WORKER_LOST.
   */
  async lease(target: string | AdHocTarget, options: LeaseOptions = {}): Promise<Lease> {
    const { request, ...traits } = judgedLease(options)
    const { keeper, ends } = await this.#hold(target, request, traits)
    return new Lease(keeper, ends)
  }

  async #hold(target: string | AdHocTarget, request: LeaseRequest, traits: ReaderTraits): Promise<Held> {
    const make = (record: LeaseRecord): LeaseEnds => new LeaseEnds(record, traits)
    const { record, holder } = await this.#acquire(target, request, 0, make)
    return { keeper: record, ends: holder }
  }

  /** What another thread of this process needs for `attachPool`: plain data that may be cloned. */
  get handle(): PoolHandle {
    const { fleet, parse } = this.#deps
    this.#attached ??= new AttachListener(
      line =>
        new AttachedThread(line, {
          parse,
          acquire: (target, options, thread, make) => this.#acquire(target, options, thread, make),
          limitOf: (target, tenant) => {
            const { name, target: found } = this.#pools.find(target, tenant)
            return { name, max: found.pool.max }
          },
          stats: () => this.stats(),
          setHolder: (holder, doorbell) => fleet.setHolder(holder, doorbell),
        }),
      error => this.#deps.onEvent?.({ kind: 'fault', error }),
    )
    if (this.#closed !== null) this.#attached.close()
    return this.#attached.handle
  }

  /** A lease whose ends `make` makes, on the pool's thread (0) or for an attached one. Errors: as `lease`. */
  async #acquire<Holder extends LeaseHolder>(
    target: string | AdHocTarget,
    { tenant, weight, origin: said, ttlMs, signal, timeoutMs, waitMs }: LeaseRequest,
    thread: number,
    make: (record: LeaseRecord) => Holder,
  ): Promise<Acquired<Holder>> {
    const refusal = this.#refusal(1)
    if (refusal !== null) throw refusal
    const startedMs = this.#now()
    const pool = this.#pools.find(target, tenant)
    if (thread === 0 && waitMs !== 0) this.#nested.assertNotStarved(pool.name, pool.target.pool.max)
    const origin = originOf(said, pool.target)
    const boundMs = Math.min(waitMs ?? pool.target.pool.waitTimeoutMs, timeoutMs ?? Infinity)
    for (;;) {
      const leftMs = boundMs === 0 ? 0 : Math.max(1, boundMs - (this.#now() - startedMs))
      const acquired = await pool.lease(
        { tenant, weight, signal, waitMs: leftMs, allowedMs: boundMs },
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

  /** The record of a lease on the connection that a slot has just been leased with. */
  #record(
    pool: TargetPool,
    slot: Slot,
    connection: IoConnection,
    ttlMs: number | null | undefined,
    origin: LeaseOrigin | undefined,
  ): LeaseRecord {
    const { fleet, parse, replayBytes, defaultTtl, onEvent } = this.#deps
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
      now: this.#now,
      leakDetectionMs: target.leakDetectionMs,
      origin,
      giveBack: (refusal, graceful) => this.#awaited(pool.release(slot, refusal, graceful)),
      keepAlive: keepAliveSwitch(fleet),
      onExpired: expired => expired.kill('expired'),
      onEnded: () => {
        this.#leases.remove(entry)
        if (slot.lease === record) slot.lease = null
      },
      onLeak: kind => onEvent?.({ kind, lease: record }),
      onFault: error => onEvent?.({ kind: 'fault', error }),
    })
    const entry = this.#leases.add(record)
    slot.lease = record
    return record
  }

  /**
   * Listens in the I/O workers and gives each connection to `handler`; see `startServer`.
   *
   * Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST, DRAINING.
   */
  listen(handler: ConnectionHandler, spec: ListenSpec, options: ListenOptions = {}): Promise<Server> {
    return this.#servers.listen(handler, spec, options)
  }

  /** Why no lease is given, or null where there is room for so many more. */
  #refusal(more: number): SockpoolError | null {
    const { leasesMax } = this.#deps
    if (this.#closed !== null) return new SockpoolError('DRAINING', 'the pool is closed')
    if (this.#leases.size + more <= leasesMax) return null
    return new SockpoolError('QUEUE_FULL', `${leasesMax} leases are held already`)
  }

  /** Leases, runs, and releases; a `run` that throws discards the connection. Errors: those of `lease` and `run`. */
  async use<T>(
    target: string | AdHocTarget,
    run: (lease: Lease) => Promise<T> | T,
    options: LeaseOptions = {},
  ): Promise<T> {
    requireFunction('run', run)
    const lease = await this.lease(target, options)
    return await this.#nested.run(lease, () => useLease(lease, run))
  }

  /**
   * One round trip: lease, write, drain, read one reply, release, under one deadline. The reply does not wait for
   * what becomes of the connection.
   */
  async exchange(target: string | AdHocTarget, options: ExchangeRequest): Promise<ExchangeReply> {
    const judged = judgedExchange(options, () => this.#pools.frameOf(target))
    return await exchangeBy(request => this.#hold(target, request, EXCHANGE_TRAITS), judged, this.#now)
  }

  /** Judges a format and its options before anything waits for bytes. Errors: FORMAT_NOT_FOUND, INVALID_REQUEST. */
  checkFormat(format: string, options?: object): void {
    this.#deps.parse.checkFormat(format, options)
  }

  /** All values of a complete input, parsed off this thread. Errors: as Parsers.parse. */
  async parse(
    format: string,
    bytes: Uint8Array,
    options?: object,
    call: ParseCall = CallBounds.NONE,
  ): Promise<unknown[]> {
    if (!(bytes instanceof Uint8Array)) throw typeFault('the bytes to parse must be a Uint8Array')
    return await this.#deps.parse.parse(format, bytes, options, CallBounds.of(call))
  }

  /** As `parse`, but as JSON text that the parse worker wrote, `wrap` around it; the bytes are given away. */
  parseToText(
    format: string,
    bytes: Uint8Array,
    wrap: TextWrap,
    options?: object,
    call: TenantCall = {},
  ): Promise<Uint8Array> {
    return this.#deps.parse.write(format, bytes, wrap, options, call)
  }

  /** Runs a module's default function `(argument) => value` in a thread where it may block. */
  async run(module: URL | string, argument?: unknown, call: ParseCall = CallBounds.NONE): Promise<unknown> {
    return await this.#deps.parse.run(module, argument, CallBounds.of(call))
  }

  get ready(): boolean {
    return this.#closed === null && this.#deps.fleet.isReady
  }

  targets(): TargetStats[] {
    return this.#pools.stats()
  }

  connections(): ConnectionStats[] {
    return this.#pools.all.flatMap(pool => rowsOf(pool, this.#now()))
  }

  workers(): Promise<ReturnType<Fleet['stats']>> {
    return Promise.resolve(this.#deps.fleet.stats())
  }

  stats(): PoolStats {
    const pools = this.#pools.all
    const sum = (of: (pool: TargetPool) => number): number => pools.reduce((all, pool) => all + of(pool), 0)
    return {
      leases: this.#leases.size,
      waiters: sum(pool => pool.waiters),
      connections: sum(pool => pool.size),
      targets: pools.length,
    }
  }

  /** Closes everything: waiters fail, leases are killed after `drainMs`, threads end. Safe to call twice. */
  async close(options: { readonly drainMs?: number } = {}): Promise<void> {
    const drainMs = durationOption('drainMs', optionsObject(options).drainMs) ?? 0
    this.#closed ??= this.#close(drainMs)
    return await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(drainMs: number): Promise<void> {
    clearInterval(this.#sweep)
    this.#servers.close()
    const closing = [...this.#pools.all.map(pool => pool.close()), this.#servers.waitClosed()]
    await this.#drained(drainMs)
    for (const { value: lease } of this.#leases) lease.kill('killed')
    this.#servers.abortClients()
    // What still closes has a bound of its own. A connection that does not heed it goes with its I/O worker.
    await this.#awaited(settledWithin(Promise.all(closing), LIMITS.closeLingerMs + LIMITS.workerStopMs))
    await this.#deps.fleet.stop()
    this.#attached?.close()
    await this.#deps.closeParse()
  }

  /** Keeps the process alive for an answer of the I/O workers: they answer by the doorbell, which does not. */
  async #awaited<T>(answer: Promise<T>): Promise<T> {
    this.#deps.fleet.hold()
    try {
      return await answer
    } finally {
      this.#deps.fleet.release()
    }
  }

  /** Resolves when all leases have ended, or after `drainMs`. */
  async #drained(drainMs: number): Promise<void> {
    if (drainMs <= 0 || this.#leases.size + this.#servers.clients === 0) return
    const ended = Array.from(this.#leases, ({ value: lease }) => lease.ended)
    await settledWithin(Promise.all([...ended, this.#servers.waitClosed()]), drainMs)
  }

  #open(name: string, target: Target, dial: Dial, origin: TargetPoolDeps['origin']): TargetPool {
    const { fleet, random = Math.random } = this.#deps
    return new TargetPool({
      name,
      target,
      dial,
      origin,
      connector: fleet,
      waiterCount: this.#waiterCount,
      now: this.#now,
      random,
      onLost: how => this.#deps.onEvent?.({ kind: 'lost', target: name, how }),
      onFault: error => this.#deps.onEvent?.({ kind: 'fault', error }),
    })
  }
}
