/**
 * The shared connections of one target, and the calls that wait for room on them. Within a tenant calls are served first
 * in, first out, the tenants take turns, and while others wait a tenant has no more than half of the room.
 */
import { isDeepStrictEqual } from 'node:util'
import { boundsWithin, type CallBounds } from '../../base/call-bounds.ts'
import { copyError, type ErrorCode, invariant, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { QueueEntry } from '../../base/queue.ts'
import type { MultiplexSettings } from '../../config/multiplex.ts'
import type { Target } from '../../config/target.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import type { JudgedExchange } from '../lease/exchange-request.ts'
import { DialParent } from '../target/dial-parent.ts'
import type { MultiplexStats } from '../target/pool-stats.ts'
import type { TargetPool } from '../target/target-pool.ts'
import type { WaiterCount } from '../target/waiter-count.ts'
import { type Waiter, Waiters } from '../target/waiters.ts'
import { CallsUnderWay } from './calls-under-way.ts'
import type { SharedCall, SharedReply } from './shared-call.ts'
import { SharedConnection, type SharedHeld } from './shared-connection.ts'
import { loadProtocol, type SharedProtocol } from './shared-protocol.ts'

export type MultiplexerDeps = {
  readonly pool: TargetPool
  readonly settings: MultiplexSettings
  readonly waiterCount: WaiterCount
  /** Errors: as TargetPool.lease. */
  readonly connect: (signal: AbortSignal, dialParent: DialParent | null) => Promise<SharedHeld>
  readonly now: () => number
  /** A fault of ours, which nobody awaits. */
  readonly onFault: (error: unknown) => void
}

/** What concerns all who wait, and not only the next of them. */
const FOR_ALL: ReadonlySet<ErrorCode> = new Set(['BREAKER_OPEN', 'DRAINING', 'TARGET_PAUSED'])

export class Multiplexer {
  readonly #deps: MultiplexerDeps
  #target: Target
  readonly #waiters: Waiters<readonly [SharedConnection]>
  readonly #shared = new Set<SharedConnection>()
  readonly #under = new CallsUnderWay()
  /** Loaded for the first call; where it could not be, the next one tries again. */
  #protocol: SharedProtocol | null = null
  /** Dials under way. */
  readonly #dials = new Set<AbortController>()
  #unsolicited = 0
  #isLeft = false
  /** Somebody waits for the last answer. */
  #quiet: PromiseWithResolvers<void> | null = null

  constructor(deps: MultiplexerDeps) {
    this.#deps = deps
    this.#target = deps.pool.target
    const { waiterCount: count, now } = deps
    this.#waiters = new Waiters({
      count,
      now,
      explain: (error, position) => error.add({ position, bytesAccepted: 0 }),
      onLeft: () => this.#stopDials(),
    })
  }

  get stats(): MultiplexStats {
    const sum = (of: (connection: SharedConnection) => number): number =>
      [...this.#shared].reduce((total, connection) => total + of(connection), 0)
    return {
      connections: this.#shared.size,
      inFlight: sum(({ inFlight }) => inFlight),
      queued: this.#waiters.size,
      orphans: sum(({ orphans }) => orphans),
      unsolicited: this.#unsolicited,
    }
  }

  /** Calls that wait, less the dials, which wait in the target's own queue. */
  get ahead(): number {
    return this.#waiters.size - this.#dials.size
  }

  /** Whether calls wait or are under way. */
  get isBusy(): boolean {
    return this.#waiters.size > 0 || !this.#under.isEmpty
  }

  /**
   * One exchange on a connection that others use at the same time.
   *
   * Errors: FRAME_MISMATCH, COMMAND_DENIED: nothing was sent. WAIT_TIMEOUT, QUEUE_FULL and those of the dial, while it
   * waited for room; then READ_TIMEOUT, ABORTED, CONNECTION_RESET, FRAME_BROKEN, LIMIT_OVERRUN with `bytesAccepted`.
   */
  async exchange({ write, share, bounds, limit }: JudgedExchange): Promise<ExchangeReply> {
    const { pool, now } = this.#deps
    const startedMs = now()
    try {
      // The caller's own bytes may change while the call waits.
      const bytes = typeof write === 'string' ? Buffer.from(write) : Buffer.from(write)
      let left = bounds
      if (this.#protocol === null) {
        this.#protocol = await loadProtocol(this.#target, this.#deps.settings)
        left = bounds.left(startedMs, now())
      }
      const request = this.#protocol.judge.judge(bytes)
      const { tenant = '', weight, within } = share
      const dialParent = within === undefined ? null : new DialParent(within)
      const call = { bytes, request, tenant, weight, limit, dialParent }
      let reply = await this.#place(call, left)
      while (reply === null) reply = await this.#place(call, bounds.left(startedMs, now()))
      pool.tally?.exchanged.succeeded(now() - startedMs)
      return reply
    } catch (error) {
      pool.tally?.exchanged.failed(now() - startedMs, error)
      throw error
    }
  }

  get pool(): TargetPool {
    return this.#deps.pool
  }

  /** Whether it is what its target needs, as that is now. */
  get serves(): boolean {
    const { target } = this.#deps.pool
    if (this.#isLeft) return false
    // Another object only where the configuration was read anew.
    if (target === this.#target) return true
    const { settings } = this.#deps
    if (!isDeepStrictEqual([target.multiplex, target.frame], [settings, this.#target.frame])) return false
    this.#target = target
    return true
  }

  /** Its target has become another: it serves the calls that it has, and then ends. */
  leave(): void {
    this.#isLeft = true
    this.tend()
  }

  /** Nothing is left of it. */
  get isOver(): boolean {
    return this.#isLeft && !this.isBusy && this.#shared.size === 0 && this.#dials.size === 0
  }

  /** Fails the calls that wait for whom `refusal` has an error. */
  refuse(refusal: (tenant: string) => SockpoolError | null): void {
    for (const entry of this.#waiters) {
      const error = refusal(entry.value.tenant)
      if (error !== null) this.#waiters.fail(entry, error)
    }
  }

  /** Resolves when no call waits or is under way. */
  allAnswered(): Promise<void> {
    if (!this.isBusy) return Promise.resolve()
    this.#quiet ??= Promise.withResolvers<void>()
    return this.#quiet.promise
  }

  /** To be called now and then, and when an operator has spoken: ends what is too old, and serves whoever may be served. */
  tend(): void {
    const { pool } = this.#deps
    const { refusal, isClosed } = pool.control
    if (isClosed || !this.serves) this.#isLeft = true
    if (refusal !== null) this.#failAll(refusal)
    for (const connection of [...this.#shared]) {
      const reason = this.#isLeft && this.#waiters.size === 0 ? 'reconnect' : connection.retires
      // So many connections too many are so many, and not each of them.
      const isPending = reason === 'resize' && this.#shared.size - this.#serving >= pool.surplus
      if (reason !== null && !isPending) connection.retire(reason)
      else if (connection.idleMs >= pool.target.pool.idleTimeoutMs && pool.size > pool.target.pool.min)
        connection.retire('idle')
    }
    this.#pump()
  }

  /** Ends all of it at once. */
  close(): void {
    this.#failAll(new SockpoolError('DRAINING', 'the pool is closed'))
    for (const dial of this.#dials) dial.abort()
    for (const connection of [...this.#shared]) connection.kill()
  }

  /**
   * The answer, once there was room for the call; null where its connection ended before it was sent. Errors: also those of
   * a call that may not wait.
   */
  #place(call: SharedCall, bounds: CallBounds): Promise<SharedReply | null> {
    const isFree = this.#waiters.size === 0 && this.#deps.pool.isOpen
    const connection = isFree ? this.#roomiest() : null
    if (connection === null) return this.#wait(call, bounds)
    this.#deps.pool.tally?.acquired.succeeded(0)
    return this.#ask(connection, call, bounds)
  }

  async #wait(call: SharedCall, bounds: CallBounds): Promise<SharedReply | null> {
    const { waiterCount, now, pool } = this.#deps
    const sinceMs = now()
    let isServed = false
    const ask = (connection: SharedConnection): Promise<SharedReply | null> => {
      isServed = true
      pool.tally?.acquired.succeeded(now() - sinceMs)
      return this.#ask(connection, call, bounds.left(sinceMs, now()))
    }
    try {
      const { refusal } = pool.control
      if (refusal !== null) throw refusal
      if (waiterCount.isFull) {
        const place = { position: this.#waiters.size + 1, bytesAccepted: 0 }
        throw new SockpoolError('QUEUE_FULL', `${waiterCount.max} callers wait already`, place)
      }
      const answer = this.#waiters.add(call, boundsWithin(bounds, this.#waitMs()), ask)
      this.#pump()
      return await answer
    } catch (error) {
      if (!isServed) pool.tally?.acquired.failed(now() - sinceMs, error)
      throw error
    }
  }

  /** How long a call may wait. Who waits for nobody waits for a dial. Errors: POOL_EXHAUSTED. */
  #waitMs(): number {
    const { settings, pool } = this.#deps
    const { waitTimeoutMs, connectTimeoutMs } = pool.target.pool
    if (waitTimeoutMs > 0) return waitTimeoutMs
    if (this.#dials.size > 0 || this.#serving < settings.connections)
      return connectTimeoutMs + LIMITS.dialBackoffLastMs
    throw new SockpoolError('POOL_EXHAUSTED', 'no shared connection has room for a call', {
      position: this.#waiters.size + 1,
      bytesAccepted: 0,
    })
  }

  #ask(connection: SharedConnection, call: SharedCall, bounds: CallBounds): Promise<SharedReply | null> {
    this.#under.begin(call.tenant)
    // Another connection is for calls that find the others busy.
    if (connection.inFlight > 0 && this.#dials.size === 0) this.#dialMore()
    return connection.ask(call, bounds)
  }

  /** A call of the tenant is under way no more. */
  #left(tenant: string): void {
    this.#under.end(tenant)
    if (this.#waiters.size > 0) this.#pump()
    if (this.isBusy) return
    this.#quiet?.resolve()
    this.#quiet = null
  }

  /** The only place where waiting calls get room. */
  #pump(): void {
    if (!this.#deps.pool.isOpen) return
    for (let next = this.#next(); next !== null; next = this.#next()) {
      const connection = this.#roomiest()
      if (connection === null) break
      this.#waiters.take(next).serve(connection)
    }
    const { inFlight } = this.#deps.settings
    while (this.#waiters.size > this.#dials.size * inFlight && this.#dialMore());
  }

  /** Whose turn it is, but for tenants that have half of the room while others wait. */
  #next(): QueueEntry<Waiter<readonly [SharedConnection]>> | null {
    const { connections, inFlight } = this.#deps.settings
    let first: QueueEntry<Waiter<readonly [SharedConnection]>> | null = null
    for (const entry of this.#waiters) {
      const { tenant } = entry.value
      const isAlone = this.#waiters.sizeOf(tenant) === this.#waiters.size
      if (isAlone || 2 * this.#under.of(tenant) < connections * inFlight) return entry
      first ??= entry
    }
    return first
  }

  #roomiest(): SharedConnection | null {
    let best: SharedConnection | null = null
    for (const connection of this.#shared) if (connection.room > (best?.room ?? 0)) best = connection
    return best
  }

  /** Dials another connection; false where there are enough. */
  #dialMore(): boolean {
    const { connect, pool, settings, onFault } = this.#deps
    if (this.#dials.size + this.#serving >= settings.connections || !pool.isOpen) return false
    const dial = new AbortController()
    this.#dials.add(dial)
    connect(dial.signal, this.#waiters.first?.value.dialParent ?? null)
      .then(
        held => this.#connected(dial, held),
        error => this.#failed(dial, SockpoolError.from(error)),
      )
      .catch(onFault)
    return true
  }

  #connected(dial: AbortController, held: SharedHeld): void {
    this.#dials.delete(dial)
    const { settings, pool, now } = this.#deps
    invariant(this.#protocol !== null, 'a connection is dialled for a call, which has loaded what is spoken')
    const { frame, match } = this.#protocol
    const connection = new SharedConnection({
      ...{ ...held, settings, frame, match, now },
      onUnsolicited: () => {
        this.#unsolicited++
      },
      onLeft: tenant => this.#left(tenant),
      onEnded: isLost => {
        this.#shared.delete(connection)
        if (isLost) this.#dialMore()
        this.#pump()
      },
    })
    this.#shared.add(connection)
    if (pool.control.isClosed) connection.kill()
    this.#pump()
  }

  /**
   * As each dial that fails answers one caller: where others serve them, none. Then the next answer or look dials again, and
   * not this one: a dial may be refused at once, over and over.
   */
  #failed(dial: AbortController, error: SockpoolError): void {
    this.#dials.delete(dial)
    if (error.code !== 'ABORTED') {
      if (this.#serving > 0) return
      if (FOR_ALL.has(error.code)) this.#failAll(error)
      else this.#waiters.failFirst(copyError(error).add({ bytesAccepted: 0 }))
    }
    this.#pump()
  }

  /** Connections that take calls, now or when one of theirs is answered. */
  get #serving(): number {
    let count = 0
    for (const { isRetiring } of this.#shared) if (!isRetiring) count++
    return count
  }

  #failAll(error: SockpoolError): void {
    while (this.#waiters.failFirst(copyError(error).add({ bytesAccepted: 0 })));
  }

  /** Nobody waits for what would be dialled next. */
  #stopDials(): void {
    if (this.#waiters.size === 0) for (const dial of this.#dials) dial.abort()
  }
}
