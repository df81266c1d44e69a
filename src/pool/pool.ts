/**
 * The pool: which targets there are, who holds what, and the one policy for all of them. It lives on the thread
 * that created it; the connections live in the I/O workers.
 */
import type { TextWrap } from '../base/answer-form.ts'
import { CallBounds } from '../base/call-bounds.ts'
import { SockpoolError } from '../base/errors.ts'
import type { InputPart, PartResult } from '../base/input-part.ts'
import { LIMITS } from '../base/limits.ts'
import { durationOption, optionsObject, requireFunction, typeFault } from '../base/options.ts'
import type { ParseThreadRow } from '../base/parse-thread-row.ts'
import { settledWithin } from '../base/wait.ts'
import type { AttachListener } from '../threads/attach-listener.ts'
import type { PoolHandle } from '../threads/attach-protocol.ts'
import type { ListenSpec } from '../threads/protocol.ts'
import { tracedParse } from '../tracing/parse-span.ts'
import { attachListener } from './attached-threads.ts'
import type { Forwards } from './forward/forwards.ts'
import { type ExchangeReply, type ExchangeRequest, useLease } from './lease/exchange.ts'
import { judgedExchange } from './lease/exchange-request.ts'
import { tracedExchange } from './lease/exchange-span.ts'
import { heldWhile, keepAliveSwitch } from './lease/keep-alive-switch.ts'
import { Lease } from './lease/lease.ts'
import { type LeaseOptions, NO_LEASE_OPTIONS } from './lease/lease-options.ts'
import { judgedLease } from './lease/lease-request.ts'
import type { ParseCall, TenantCall } from './lease/parse-port.ts'
import { Leases } from './leases.ts'
import { MessageForwards } from './message-forwards.ts'
import { Multiplexers } from './multiplex/multiplexers.ts'
import { openTarget } from './open-target.ts'
import type { ReloadOptions, ReloadResult } from './pool-change.ts'
import type { Fleet, PoolDeps } from './pool-deps.ts'
import { forwardsOf } from './pool-forwards.ts'
import { PoolRows } from './pool-rows.ts'
import { applyChange, type ReloadedParts } from './reload.ts'
import type { LeaseListener } from './server/lease-listener.ts'
import type { LeaseListeners } from './server/lease-listeners.ts'
import type { ConnectionHandler, Server } from './server/server.ts'
import { type ListenOptions, Servers } from './server/servers.ts'
import { type ControlOrder, carryOut, verbOf } from './target/control-order.ts'
import { targetLabel } from './target/dial-span.ts'
import { type ControlOptions, type KillResult, OperatedPool } from './target/operated-pool.ts'
import type { PoolNews } from './target/pool-news.ts'
import type { ConnectionReport, ConnectionStats, PoolStats, TargetStats } from './target/pool-stats.ts'
import type { ControlResult } from './target/target-control.ts'
import { type AdHocTarget, TargetPools } from './target/target-pools.ts'
import { WaiterCount } from './target/waiter-count.ts'
import { drainWorker, type WorkerDrainResult } from './worker-drain.ts'

export class Pool extends OperatedPool implements AsyncDisposable {
  readonly forwards: Forwards
  readonly news: PoolNews
  readonly #deps: PoolDeps
  readonly #now: () => number
  readonly #pools: TargetPools
  readonly #leases: Leases
  readonly #waiterCount: WaiterCount
  readonly #multiplexers: Multiplexers
  readonly #servers: Servers
  /** The clients of forwards that have a connection only while a message is under way. */
  readonly messages: MessageForwards
  readonly #parts: ReloadedParts
  readonly #sweep: NodeJS.Timeout
  readonly #rows: PoolRows
  #attached: AttachListener | null = null
  #closed: Promise<void> | null = null

  constructor(deps: PoolDeps) {
    super()
    this.#deps = deps
    this.news = deps.news
    this.#now = deps.now ?? (() => performance.now())
    const onFault = (error: unknown): void => deps.onEvent?.({ kind: 'fault', error })
    this.#waiterCount = new WaiterCount(deps.waitersMax, deps.fleet)
    const onRefreshed = (): void => this.#serveOn()
    const shared = { ...deps, waiterCount: this.#waiterCount, now: this.#now, onFault, onRefreshed }
    this.#pools = new TargetPools(deps.targets, deps, (...opened) => openTarget(shared, ...opened))
    this.#leases = new Leases({
      ...deps,
      now: this.#now,
      pools: this.#pools,
      waiterCount: this.#waiterCount,
      isClosed: () => this.#closed !== null,
      awaited: answer => this.#awaited(answer),
    })
    this.#multiplexers = new Multiplexers({
      waiterCount: this.#waiterCount,
      now: this.#now,
      connect: (pool, signal, dialParent) => this.#leases.share(pool, signal, dialParent),
      onFault,
    })
    this.#servers = new Servers({
      ...deps,
      now: this.#now,
      makeHold: () => keepAliveSwitch(deps.fleet),
      onFault,
    })
    this.forwards = forwardsOf(deps, this.#leases, this.#pools, this.#servers)
    const own = { now: this.#now, pools: this.#pools, leases: this.#leases, multiplexers: this.#multiplexers }
    const parts = { ...own, waiterCount: this.#waiterCount, news: deps.news, onFault }
    this.messages = new MessageForwards(parts)
    this.forwards.serveMode('message', this.messages.handler())
    this.#parts = { ...parts, messages: this.messages }
    this.#rows = new PoolRows({ ...deps, ...own, messages: this.messages })
    deps.tallies?.askAhead(target => this.#rows.aheadOf(target))
    this.#sweep = setInterval(() => this.#tend(), LIMITS.sweepIntervalMs)
    this.#sweep.unref()
    for (const pool of this.#pools.all) pool.warm()
  }

  /**
   * Leases a connection of a named target, or of a described one.
   * Errors: TARGET_NOT_FOUND, TARGET_DENIED, INVALID_REQUEST, POOL_EXHAUSTED (`waitMs: 0` and none free),
   * WAIT_TIMEOUT, WOULD_DEADLOCK, QUEUE_FULL, BREAKER_OPEN, ABORTED, DRAINING; those of the dial: CONNECT_REFUSED,
   * CONNECT_FAILED, CONNECT_TIMEOUT, DNS_FAILED, TLS_FAILED, DIALOG_FAILED, WORKER_LOST.
   */
  async lease(target: string | AdHocTarget, options: LeaseOptions = NO_LEASE_OPTIONS): Promise<Lease> {
    const { request, traits } = judgedLease(options)
    const held = this.#leases.hold(target, request, traits)
    const { keeper, ends } = held instanceof Promise ? await held : held
    return new Lease(keeper, ends)
  }

  /** What another thread of this process needs for `attachPool`: plain data that may be cloned. */
  get handle(): PoolHandle {
    this.#attached ??= attachListener(this.#deps, {
      leases: this.#leases,
      pools: this.#pools,
      multiplexers: this.#multiplexers,
      stats: () => this.stats(),
      order: (target, order, bounds) => this.order(target, order, bounds),
      kill: id => this.kill(id),
    })
    if (this.#closed !== null) this.#attached.close()
    return this.#attached.handle
  }

  /**
   * Listens in the I/O workers and gives each connection to `handler`; see `startServer`.
   * Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST, DRAINING.
   */
  listen(handler: ConnectionHandler, spec: ListenSpec, options: ListenOptions = {}): Promise<Server> {
    return this.#servers.listen((reader, writer) => handler(reader, writer), spec, options)
  }

  /**
   * Listens in the I/O workers for one tenant, who takes each accepted connection as a lease of its own.
   *
   * Errors: LISTEN_FAILED, DNS_FAILED, WORKER_LOST, DRAINING; QUEUE_FULL where there are too many listeners.
   */
  listenForLeases(...asked: Parameters<LeaseListeners['listen']>): Promise<LeaseListener> {
    return this.#leases.listeners.listen(...asked)
  }

  /** Leases, runs, and releases; a `run` that throws discards the connection. Errors: those of `lease` and `run`. */
  async use<T>(
    target: string | AdHocTarget,
    run: (lease: Lease) => Promise<T> | T,
    options: LeaseOptions = NO_LEASE_OPTIONS,
  ): Promise<T> {
    requireFunction('run', run)
    const lease = await this.lease(target, options)
    return await this.#leases.nested.run(lease, () => useLease(lease, run))
  }

  /**
   * One round trip: lease, write, drain, read one reply, release, under one deadline. The reply does not wait for
   * what becomes of the connection.
   */
  exchange(target: string | AdHocTarget, options: ExchangeRequest): Promise<ExchangeReply> {
    // Not async: on a shared connection a promise more costs every tenth call.
    try {
      const judged = judgedExchange(options, () => this.#pools.frameOf(target))
      const pool = this.#pools.find(target, judged.share.tenant ?? '')
      return tracedExchange(targetLabel(pool), judged, exchange => {
        const shared = this.#multiplexers.exchange(pool, exchange)
        return shared ?? this.#leases.exchange(target, exchange, pool.tally?.exchanged)
      })
    } catch (error) {
      this.#pools.tallyOf(target)?.exchanged.failed(0, error)
      return Promise.reject(error)
    }
  }

  /** Judges a format and its options before anything waits for bytes. Errors: FORMAT_NOT_FOUND, INVALID_REQUEST. */
  checkFormat(format: string, options?: object, of: 'messages' | 'input' = 'messages'): void {
    this.#deps.parse.checkFormat(format, options, of)
  }

  /** All values of a complete input, parsed off this thread. Errors: as Parsers.parse. */
  async parse(
    format: string,
    bytes: Uint8Array,
    options?: object,
    call: ParseCall = CallBounds.NONE,
  ): Promise<unknown[]> {
    if (!(bytes instanceof Uint8Array)) throw typeFault('the bytes to parse must be a Uint8Array')
    const { parse } = this.#deps
    const run = (): Promise<unknown[]> => parse.parse(format, bytes, options, CallBounds.of(call))
    return await tracedParse({ format, bytes: bytes.length }, run)
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

  /** One step of a parse whose input comes in parts, in a parse worker; the pieces are given away. */
  parsePart(format: string, part: InputPart, options?: object, call: TenantCall = {}): Promise<PartResult> {
    return this.#deps.parse.writePart(format, part, options, call)
  }

  /** Runs a module's default function `(argument) => value` in a thread where it may block. */
  async run(module: URL | string, argument?: unknown, call: ParseCall = CallBounds.NONE): Promise<unknown> {
    return await this.#deps.parse.run(module, argument, CallBounds.of(call))
  }

  get ready(): boolean {
    return this.#closed === null && this.#deps.fleet.isReady
  }

  /** Ends a connection, or what a lease holds, by its id. Errors: CONNECTION_NOT_FOUND. */
  override async kill(id: string): Promise<KillResult> {
    const killed = this.#leases.kill(id) ?? this.#pools.kill(id)
    this.news.tell('verb', null, { [killed]: id, reason: 'kill' })
    return await Promise.resolve({ killed })
  }

  /**
   * Starts a fresh I/O worker in the place of this one, which takes nothing new; resolves when its last connection is gone, and
   * its thread. Leases on it go on. Errors: NOT_FOUND, WORKER_LOST; WAIT_TIMEOUT, ABORTED: it goes on.
   */
  async drainWorker(id: number, options: ControlOptions = {}): Promise<WorkerDrainResult> {
    const bounds = CallBounds.judged(optionsObject(options))
    return await this.#awaited(drainWorker(this.#deps, this.#pools, id, bounds))
  }

  /**
   * Has the pool be what the options say, in one step: its named targets, egress rules and bounds. Sizes that were changed by
   * `resize` are the targets' own again. Leases that may not go on are gone, with the reason `revoked`: those of a target
   * that is no more, of an address that may not be dialled any more, or that `mayUse` refuses. Leases of a target whose
   * address or dialogs changed go on, and their connections are closed when they come back.
   * Errors: INVALID_REQUEST with every fault, DRAINING; and nothing has changed.
   */
  reload(options: ReloadOptions): ReloadResult {
    const change = this.#deps.judge(options)
    if (this.#closed !== null) throw new SockpoolError('DRAINING', 'the pool is closed')
    const result = applyChange(this.#parts, change)
    this.#attached?.targetsChanged()
    return result
  }

  protected override async order(
    target: string,
    order: ControlOrder,
    bounds: CallBounds,
  ): Promise<ControlResult> {
    const done = Promise.resolve(carryOut(this.#pools.find(target, '').control, order, bounds))
    this.#serveOn()
    this.news.tell('verb', target, { reason: verbOf(order) })
    return await this.#awaited(done)
  }

  targets(): TargetStats[] {
    return this.#rows.targets()
  }

  connections(): ConnectionStats[] {
    return this.#rows.connections()
  }

  /** A connection, and its last operations, oldest first. Errors: CONNECTION_NOT_FOUND. */
  connection(id: string): ConnectionReport {
    return this.#rows.connection(id)
  }

  /** A row for each thread of this pool: I/O workers first, then those that parse just now or did of late. */
  async workers(): Promise<readonly (ReturnType<Fleet['stats']>[number] | ParseThreadRow)[]> {
    const { fleet, parse } = this.#deps
    return [...fleet.stats(), ...parse.rows()]
  }

  stats(): PoolStats {
    return this.#rows.stats()
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
    this.messages.drain()
    const targets = this.#pools.all.map(pool => pool.close())
    const listeners = [this.forwards.close(), this.#leases.listeners.close(), this.#servers.waitClosed()]
    const closing = [...listeners, ...targets]
    await this.#drained(drainMs)
    this.#leases.killAll()
    this.#multiplexers.close()
    this.messages.close()
    this.#servers.abortClients()
    // What still closes has a bound of its own. A connection that does not heed it goes with its I/O worker.
    await this.#awaited(settledWithin(Promise.all(closing), LIMITS.closeLingerMs + LIMITS.workerStopMs))
    await this.#deps.fleet.stop()
    this.#attached?.close()
    await this.#deps.closeParse()
  }

  #tend(): void {
    this.#pools.sweep(this.#now())
    this.#leases.sweep()
    this.#serveOn()
  }

  /** Has those look again who serve callers of their own with connections of a target. */
  #serveOn(): void {
    this.#multiplexers.tend()
    this.messages.tend()
  }

  /** Keeps the process alive for an answer of the I/O workers: they answer by the doorbell, which does not. */
  #awaited<T>(answer: Promise<T>): Promise<T> {
    return heldWhile(this.#deps.fleet, answer)
  }

  /** Resolves when all leases have ended, or after `drainMs`. */
  async #drained(drainMs: number): Promise<void> {
    if (drainMs <= 0 || this.#leases.size + this.#servers.clients + this.#multiplexers.calls === 0) return
    const ends = [this.#leases.allEnded(), this.#servers.waitClosed(), this.#multiplexers.allAnswered()]
    await settledWithin(Promise.all(ends), drainMs)
  }
}
