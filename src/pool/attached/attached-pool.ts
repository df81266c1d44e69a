/**
 * A pool of another thread, on this one. That thread decides who gets which connection; the bytes of a lease go between
 * this thread and the I/O worker directly. Leases are of two kinds: `lease` gives the asynchronous one that the pool
 * itself gives, `leaseSync` one for straight-line code that blocks.
 */
import type { TextWrap } from '../../base/answer-form.ts'
import { CallBounds } from '../../base/call-bounds.ts'
import { SockpoolError } from '../../base/errors.ts'
import type { InputPart, PartResult } from '../../base/input-part.ts'
import { durationOption, optionsObject, requireFunction, typeFault } from '../../base/options.ts'
import { aborted } from '../../base/wait.ts'
import { AttachLine } from '../../threads/attach-line.ts'
import type { GrantData, PoolHandle } from '../../threads/attach-protocol.ts'
import { tracedParse } from '../../tracing/parse-span.ts'
import {
  type ExchangeReply,
  type ExchangeRequest,
  exchangeBy,
  type Held as LeaseInHand,
  useLease,
} from '../lease/exchange.ts'
import { type JudgedExchange, judgedExchange } from '../lease/exchange-request.ts'
import { tracedExchange, tracedExchangeSync } from '../lease/exchange-span.ts'
import { keepAliveSwitch } from '../lease/keep-alive-switch.ts'
import { Lease } from '../lease/lease.ts'
import { LeaseEnds } from '../lease/lease-ends.ts'
import { outcomeOf } from '../lease/lease-flight.ts'
import type { LeaseHolder } from '../lease/lease-keeper.ts'
import { EXCHANGE_TRAITS, type LeaseOptions, type ReaderTraits } from '../lease/lease-options.ts'
import { LeaseRecord } from '../lease/lease-record.ts'
import type { LeaseRecordDeps } from '../lease/lease-record-deps.ts'
import { judgedLease, type LeaseRequest } from '../lease/lease-request.ts'
import type { ParseCall, TenantCall } from '../lease/parse-port.ts'
import type { ControlOrder } from '../target/control-order.ts'
import { type KillResult, OperatedPool } from '../target/operated-pool.ts'
import type { PoolStats } from '../target/pool-stats.ts'
import type { ReleaseResult } from '../target/release-result.ts'
import type { ControlResult } from '../target/target-control.ts'
import type { AdHocTarget } from '../target/target-pools.ts'
import { AttachedBells, AttachedConnection } from './attached-connection.ts'
import { AttachedExchanges } from './attached-exchanges.ts'
import { AttachedParsePort } from './attached-parse-port.ts'
import { attachedTarget, attachedTrace } from './attached-trace.ts'
import { BlockingEnds, type BlockingLeaseOptions } from './blocking-ends.ts'
import { BlockingGiveBack, BlockingLease } from './blocking-lease.ts'
import { exchangeSyncBy } from './exchange-sync.ts'

export type LeaseSyncOptions = Omit<LeaseOptions, 'signal' | 'replay'> & BlockingLeaseOptions
export type ExchangeSyncOptions = Omit<ExchangeRequest, 'signal'>

/** What becomes of the connection, the pool's thread alone knows. */
const UNKNOWN: ReleaseResult = { outcome: 'closed', reason: 'error' }

type Held = { readonly record: LeaseRecord; readonly connection: AttachedConnection }
type Begun<Holder> = Held & { readonly holder: Holder }

export class AttachedPool extends OperatedPool implements AsyncDisposable, Disposable {
  readonly #line: AttachLine
  readonly #bells = new AttachedBells()
  readonly #held = new Map<number, Held>()
  readonly #parse: AttachedParsePort
  readonly #exchanges: AttachedExchanges

  /** Errors: WOULD_DEADLOCK on the thread that created the pool. */
  constructor(handle: PoolHandle) {
    super()
    try {
      this.#line = new AttachLine({
        handle,
        doorbell: this.#bells.memory,
        onEnded: (lease, reason) => this.#held.get(lease)?.record.kill(reason),
        onLost: () => this.#lost(),
        onFault: warnOfFault,
      })
    } catch (error) {
      this.#bells.stop()
      throw error
    }
    this.#parse = new AttachedParsePort(this.#line, 0)
    this.#exchanges = new AttachedExchanges(this.#line)
  }

  /** As Pool.lease. Errors: also DRAINING when the pool is gone, NOT_READY when its thread does not answer. */
  async lease(target: string | AdHocTarget, options: LeaseOptions = {}): Promise<Lease> {
    const { request, traits } = judgedLease(options)
    const { keeper, ends } = await this.#lease(target, request, traits, null)
    return new Lease(keeper, ends)
  }

  async #lease(
    target: string | AdHocTarget,
    request: LeaseRequest,
    traits: ReaderTraits,
    operation: string | null,
  ): Promise<LeaseInHand> {
    const { waitMs, timeoutMs, ttlMs, replay, tenant, weight, signal } = request
    const options = { waitMs, timeoutMs, ttlMs, replay, tenant, weight }
    const data = { target, options, blocks: false, trace: attachedTrace(request), operation }
    const grant = (await this.#line.request('lease', data, signal)) as GrantData
    const line = this.#line
    let left: SockpoolError | null = null
    const giveBack: LeaseRecordDeps['giveBack'] = (refusal, graceful, failure) => {
      const release = { lease: grant.lease, refusal, graceful, outcome: outcomeOf(failure ?? left) }
      if (operation === null) return resultOf(line.release(release))
      // Who asked for the one operation hears nothing of the connection, so that a reply would be for nobody.
      line.post({ kind: 'release', request: null, ...release })
      return Promise.resolve(UNKNOWN)
    }
    const keepAlive = keepAliveSwitch({ hold: () => line.hold(), release: () => line.letGo() })
    const { record, holder } = this.#begin(
      grant,
      { giveBack, keepAlive },
      keeper => new LeaseEnds(keeper, traits),
    )
    if (!signal?.aborted) return { keeper: record, ends: holder }
    left = aborted('the wait for a connection', signal)
    void record.giveBack(null, false)
    throw left
  }

  /** As Pool.use. */
  async use<T>(
    target: string | AdHocTarget,
    run: (lease: Lease) => Promise<T> | T,
    options: LeaseOptions = {},
  ): Promise<T> {
    requireFunction('run', run)
    return await useLease(await this.lease(target, options), run)
  }

  /** As Pool.exchange. */
  exchange(target: string | AdHocTarget, options: ExchangeRequest): Promise<ExchangeReply> {
    try {
      return tracedExchange(attachedTarget(target), judgedExchange(options), judged =>
        this.#exchange(target, judged),
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #exchange(target: string | AdHocTarget, judged: JudgedExchange): Promise<ExchangeReply> {
    const shared = await this.#exchanges.exchange(target, judged)
    if (shared !== null) return shared
    const acquire = (request: LeaseRequest): Promise<LeaseInHand> =>
      this.#lease(target, request, EXCHANGE_TRAITS, 'exchange')
    return await exchangeBy(acquire, judged, now)
  }

  /**
   * Leases a connection, and blocks this thread until there is one.
   *
   * Units: `operationTimeoutMs` bounds each call of its reader and writer that does not say otherwise.
   * Errors: as `lease`; WORKER_LOST when the thread of the pool has died; WOULD_DEADLOCK where this thread itself holds
   * all connections that the target may have, and so nobody could ever give one back.
   */
  leaseSync(target: string | AdHocTarget, options: LeaseSyncOptions = {}): BlockingLease {
    const { operationTimeoutMs, ...rest } = optionsObject(options)
    const { request, traits } = judgedLease(rest)
    const operationTraits = { operationTimeoutMs: durationOption('operationTimeoutMs', operationTimeoutMs) }
    return this.#leaseSync(target, request, { ...traits, ...operationTraits }, null)
  }

  #leaseSync(
    target: string | AdHocTarget,
    request: LeaseRequest,
    traits: BlockingLeaseOptions,
    operation: string | null,
  ): BlockingLease {
    const { waitMs, timeoutMs, ttlMs, tenant, weight } = request
    const options = { waitMs, timeoutMs, ttlMs, replay: false, tenant, weight }
    const data = { target, options, blocks: true, trace: attachedTrace(request), operation }
    const line = this.#line
    const grant = line.requestSync('lease', data) as GrantData
    const back = new BlockingGiveBack(line, grant.lease)
    const { record, holder } = this.#begin(
      grant,
      // Straight-line code that comes to its end lets its thread end, and loses what it holds.
      { giveBack: (refusal, graceful) => back.giveBack(refusal, graceful), keepAlive: () => {} },
      (keeper, connection) => new BlockingEnds(keeper, connection, line, traits),
    )
    return new BlockingLease(record, holder, back)
  }

  /** Leases, runs, and releases, blocking; a `run` that throws discards the connection. */
  useSync<T>(
    target: string | AdHocTarget,
    run: (lease: BlockingLease) => T,
    options: LeaseSyncOptions = {},
  ): T {
    requireFunction('run', run)
    const lease = this.leaseSync(target, options)
    try {
      const result = run(lease)
      lease.release()
      return result
    } finally {
      lease.discard()
    }
  }

  /** As `exchange`, blocking. The reply does not wait for what becomes of the connection. */
  exchangeSync(target: string | AdHocTarget, options: ExchangeSyncOptions): ExchangeReply {
    return tracedExchangeSync(attachedTarget(target), judgedExchange(options), judged => {
      const shared = this.#exchanges.exchangeSync(target, judged)
      if (shared !== null) return shared
      const acquire = (request: LeaseRequest): BlockingLease =>
        this.#leaseSync(target, request, EXCHANGE_TRAITS, 'exchange')
      return exchangeSyncBy(acquire, judged)
    })
  }

  /** As Pool.parse. */
  async parse(
    format: string,
    bytes: Uint8Array,
    options?: object,
    call: ParseCall = CallBounds.NONE,
  ): Promise<unknown[]> {
    if (!(bytes instanceof Uint8Array)) throw typeFault('the bytes to parse must be a Uint8Array')
    const run = (): Promise<unknown[]> => this.#parse.parse(format, bytes, options, CallBounds.of(call))
    return await tracedParse({ format, bytes: bytes.length }, run)
  }

  /** As Pool.parseToText; the bytes are copied. */
  parseToText(
    format: string,
    bytes: Uint8Array,
    wrap: TextWrap,
    options?: object,
    call: TenantCall = {},
  ): Promise<Uint8Array> {
    return this.#parse.write(format, bytes, wrap, options, call)
  }

  /** As Pool.parsePart; the pieces are copied. */
  parsePart(format: string, part: InputPart, options?: object, call: TenantCall = {}): Promise<PartResult> {
    return this.#parse.writePart(format, part, options, call)
  }

  /** As Pool.run. */
  async run(module: URL | string, argument?: unknown, call: ParseCall = CallBounds.NONE): Promise<unknown> {
    return await this.#parse.run(module, argument, CallBounds.of(call))
  }

  protected override async order(
    target: string,
    order: ControlOrder,
    { signal, timeoutMs }: CallBounds,
  ): Promise<ControlResult> {
    return (await this.#line.request('order', { target, order, timeoutMs }, signal)) as ControlResult
  }

  /** As Pool.kill. */
  override async kill(id: string): Promise<KillResult> {
    return (await this.#line.request('kill', { id })) as KillResult
  }

  /** What is going on in the whole pool, asked of its thread. */
  async stats(): Promise<PoolStats> {
    return (await this.#line.request('stats', null)) as PoolStats
  }

  /** Rings of this thread's doorbell that only its sweep timer found; must be 0. */
  get missedWakes(): number {
    return this.#bells.missedWakes
  }

  /** Lets go of the pool, which goes on without this thread: what it still holds is discarded. Safe to call twice. */
  async close(): Promise<void> {
    this[Symbol.dispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** As `close`, for straight-line code. */
  [Symbol.dispose](): void {
    for (const { record } of [...this.#held.values()]) record.kill('killed')
    this.#line.close()
    this.#bells.stop()
  }

  /** Begins the lease that the pool's thread has granted, with ends that `make` makes on this one. */
  #begin<Holder extends LeaseHolder>(
    grant: GrantData,
    { giveBack, keepAlive }: Pick<LeaseRecordDeps, 'giveBack' | 'keepAlive'>,
    make: (record: LeaseRecord, connection: AttachedConnection) => Holder,
  ): Begun<Holder> {
    const line = this.#line
    const { lease: number, terms } = grant
    const connection = new AttachedConnection(grant, line, this.#bells, warnOfFault)
    const record = new LeaseRecord({
      terms,
      connection,
      parse: new AttachedParsePort(line, number),
      now,
      giveBack,
      keepAlive,
      // The pool's own record says when it is over, or held for too long.
      onExpired: () => {},
      onLeak: () => {},
      onRenewed: ttlMs => line.post({ kind: 'renew', lease: number, ttlMs }),
      onEnding: () => line.post({ kind: 'ending', lease: number }),
      onEnded: () => {
        this.#held.delete(number)
        connection.leave()
      },
      onFault: warnOfFault,
    })
    const holder = record.begin(0, () => make(record, connection))
    this.#held.set(number, { record, connection })
    connection.listen(how => record.connectionLost(how))
    return { record, holder, connection }
  }

  #lost(): void {
    for (const { connection } of [...this.#held.values()]) connection.lose('workerLost')
  }
}

/** A pool that is gone has closed the connection. */
async function resultOf(answer: Promise<unknown>): Promise<ReleaseResult> {
  try {
    return (await answer) as ReleaseResult
  } catch (error) {
    if (!(error instanceof SockpoolError)) warnOfFault(error)
    return { outcome: 'closed', reason: 'error' }
  }
}

/** Whoever attached has no listener for events of the pool. */
function warnOfFault(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}

function now(): number {
  return performance.now()
}
