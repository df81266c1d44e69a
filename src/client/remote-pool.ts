/**
 * The pool of a running service, with the members of Pool: leases, exchanges and verbs go over HTTP, and the bytes of a lease
 * over a WebSocket of its own. It is made at once, and dials with its first call.
 */
import { CallBounds } from '../base/call-bounds.ts'
import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { hasCode, SockpoolError } from '../base/errors.ts'
import { durationOption, optionsObject, requireFunction, typeFault } from '../base/options.ts'
import { settledWithin, type WaitOptions } from '../base/wait.ts'
import type { ExchangeReply } from '../pool/lease/exchange.ts'
import type { ExchangeRequest } from '../pool/lease/exchange-request.ts'
import { judgedTerms, type LeaseOptions } from '../pool/lease/lease-options.ts'
import type { ControlOrder } from '../pool/target/control-order.ts'
import { type KillResult, OperatedPool } from '../pool/target/operated-pool.ts'
import type { ConnectionReport, ConnectionStats, PoolStats, TargetStats } from '../pool/target/pool-stats.ts'
import type { ControlResult } from '../pool/target/target-control.ts'
import type { AdHocTarget } from '../pool/target/target-pools.ts'
import type { RetryBounds } from './client-options.ts'
import { exchangeCall, exchangeReply, refuseShare } from './exchange-call.ts'
import { orderCall } from './order-call.ts'
import { RemoteEnds } from './remote-ends.ts'
import { type LeaseView, RemoteKeeper } from './remote-keeper.ts'
import { RemoteLease, unsupported } from './remote-lease.ts'
import type { CutPlace } from './remote-reader.ts'
import { closedError, ServiceCaller } from './service-caller.ts'
import { answerMsOf, withTimeout } from './timed-call.ts'
import { jsonOf, type Wire, type WireAnswer } from './wire.ts'
import { wireTarget } from './wire-target.ts'

export type ServiceReload = Readonly<Record<string, unknown>> & { readonly ignored: readonly string[] }

export class RemotePool extends OperatedPool implements AsyncDisposable {
  readonly #caller: ServiceCaller
  readonly #cutPlace: CutPlace
  /** What is held through this pool. */
  readonly #held = new Set<RemoteKeeper>()
  #closed: Promise<void> | null = null
  #emptied: (() => void) | null = null

  /** `cutPlace`: where messages are cut whose frame the program names. */
  constructor(wire: Wire, retry: RetryBounds, cutPlace: CutPlace) {
    super()
    this.#cutPlace = cutPlace
    this.#caller = new ServiceCaller(wire, retry)
  }

  /**
   * As Pool.lease, of the service's target. The lease is renewed by itself until it is released. Errors: those of Pool.lease,
   * UNAUTHORIZED, FORBIDDEN, RATE_LIMITED, SERVICE_UNREACHABLE; UNSUPPORTED for `tenant`, `weight` and `origin`.
   */
  async lease(target: string | AdHocTarget, options: LeaseOptions = {}): Promise<RemoteLease> {
    const { bounds, asking, traits } = judgedTerms(options)
    refuseShare(options)
    const { ttlMs, waitMs } = asking
    const ttl =
      typeof ttlMs === 'number' ? Math.min(Math.max(1, ttlMs), CLIENT_LIMITS.leaseTtlMsMax) : undefined
    const wait = waitMs === undefined ? undefined : Math.min(waitMs, CLIENT_LIMITS.leaseWaitMsMax)
    const answer = await this.#caller.call({
      name: 'the wait for a connection',
      method: 'POST',
      path: '/v1/leases',
      json: { target: wireTarget(target), ttlMs: ttl, waitMs: wait, ...(this.#repeats && { replay: true }) },
      headers: { 'idempotency-key': randomKey() },
      repeat: 'always',
      bounds,
      answerMs: CLIENT_LIMITS.serviceWaitMs,
    })
    const view = jsonOf<LeaseView>(answer)
    const keeper: RemoteKeeper = new RemoteKeeper({
      caller: this.#caller,
      view,
      ttlMs: ttl ?? ttlBetween(answer, view),
      isReplayed: this.#repeats,
      onEnded: () => this.#ended(keeper),
    })
    this.#held.add(keeper)
    // It came too late for a pool that was closed meanwhile.
    if (this.#closed !== null) {
      void keeper.giveBack('discarded')
      throw closedError()
    }
    return new RemoteLease(new RemoteEnds(keeper, traits, this.#cutPlace))
  }

  /** Leases, runs, and releases; a `run` that throws discards the connection. Errors: those of `lease` and `run`. */
  async use<T>(
    target: string | AdHocTarget,
    run: (lease: RemoteLease) => Promise<T> | T,
    options: LeaseOptions = {},
  ): Promise<T> {
    requireFunction('run', run)
    const lease = await this.lease(target, options)
    try {
      const result = await run(lease)
      await lease.release()
      return result
    } finally {
      await lease.discard()
    }
  }

  /**
   * One round trip, which the service makes. It is repeated only where nothing of it has reached the peer. Errors: as
   * Pool.exchange, and as `lease`.
   */
  async exchange(target: string | AdHocTarget, options: ExchangeRequest): Promise<ExchangeReply> {
    const { bounds, make } = exchangeCall(target, options)
    return exchangeReply(
      await withTimeout(bounds.timeoutMs, timeoutMs =>
        this.#caller.call({
          ...make(timeoutMs),
          name: 'exchange()',
          method: 'POST',
          path: '/v1/exchange',
          repeat: 'unsent',
          bounds: { signal: bounds.signal },
          answerMs: answerMsOf(timeoutMs),
        }),
      ),
    )
  }

  /** All values of a complete input, parsed by the service. Errors: as Pool.parse. */
  async parse(
    format: string,
    bytes: Uint8Array,
    options: object = {},
    call: WaitOptions = CallBounds.NONE,
  ): Promise<unknown[]> {
    if (!(bytes instanceof Uint8Array)) throw typeFault('the bytes to parse must be a Uint8Array')
    const { signal, timeoutMs: limitMs } = CallBounds.of(call)
    const query = Object.fromEntries(
      Object.entries(optionsObject(options)).map(([key, value]) => [key, String(value)]),
    )
    const answer = await withTimeout(limitMs, timeoutMs =>
      this.#caller.call({
        name: 'parse()',
        method: 'POST',
        path: `/v1/parse/${encodeURIComponent(format)}`,
        query: { ...query, timeoutMs },
        body: bytes,
        headers: { accept: 'application/json' },
        repeat: 'always',
        bounds: { signal },
        timeoutCode: 'PARSE_TIMEOUT',
        answerMs: answerMsOf(timeoutMs),
      }),
    )
    return [...jsonOf<{ readonly values: readonly unknown[] }>(answer).values]
  }

  /** Errors: UNSUPPORTED. */
  async run(): Promise<never> {
    throw await Promise.resolve(unsupported('run()'))
  }

  /** Errors: UNSUPPORTED: threads share memory, and a service is none of theirs. */
  get handle(): never {
    throw new SockpoolError(
      'UNSUPPORTED',
      'a pool of a service cannot be attached to: connect to it once more',
    )
  }

  /** Counts of the whole service. */
  async stats(): Promise<PoolStats> {
    return await this.#look<PoolStats>('stats()', '/v1/stats')
  }

  /** The targets that the token may use. */
  async targets(): Promise<readonly TargetStats[]> {
    return (await this.#look<{ readonly targets: readonly TargetStats[] }>('targets()', '/v1/targets'))
      .targets
  }

  /** The connections of the token; for an admin, all. */
  async connections(): Promise<readonly ConnectionStats[]> {
    const path = '/v1/connections'
    return (await this.#look<{ readonly connections: readonly ConnectionStats[] }>('connections()', path))
      .connections
  }

  /** A connection, and what was done with it last. Errors: CONNECTION_NOT_FOUND, FORBIDDEN. */
  async connection(id: string): Promise<ConnectionReport> {
    return await this.#look<ConnectionReport>('connection()', `/v1/connections/${encodeURIComponent(id)}`)
  }

  async workers(): Promise<readonly object[]> {
    return (await this.#look<{ readonly workers: readonly object[] }>('workers()', '/v1/workers')).workers
  }

  /** Has the service read its configuration anew. Errors: INVALID_REQUEST, FORBIDDEN; and nothing has changed. */
  async reload(): Promise<ServiceReload> {
    const call = { name: 'reload()', method: 'POST', path: '/v1/reload', json: {}, repeat: 'always' } as const
    return (await this.#caller.json(call)) as ServiceReload
  }

  /** Ends a connection, or a lease, by its id; without an admin's token a lease of one's own. Errors: CONNECTION_NOT_FOUND, FORBIDDEN. */
  override async kill(id: string): Promise<KillResult> {
    const name = 'kill()'
    const one = encodeURIComponent(id)
    try {
      const call = { name, method: 'DELETE', path: `/v1/connections/${one}`, repeat: 'always' } as const
      return (await this.#caller.json(call)) as KillResult
    } catch (error) {
      if (!hasCode(error, 'FORBIDDEN')) throw error
      await this.#caller
        .call({ name, method: 'DELETE', path: `/v1/leases/${one}`, query: { kill: true }, repeat: 'always' })
        .catch(failure => {
          throw hasCode(failure, 'LEASE_NOT_FOUND') ? error : failure
        })
      return { killed: 'lease' }
    }
  }

  /** Discards what is held through this pool, after `drainMs` (default 0), and ends its calls. The service goes on. */
  async close(options: { readonly drainMs?: number } = {}): Promise<void> {
    const drainMs = durationOption('drainMs', optionsObject(options).drainMs) ?? 0
    this.#closed ??= this.#close(drainMs)
    return await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected override async order(
    target: string,
    order: ControlOrder,
    bounds: CallBounds,
  ): Promise<ControlResult> {
    return await orderCall(this.#caller, target, order, bounds)
  }

  /** Calls are made again: then the service keeps what was read, for a while. */
  get #repeats(): boolean {
    return this.#caller.retry.attempts > 1
  }

  async #look<T>(name: string, path: string): Promise<T> {
    return (await this.#caller.json({ name, method: 'GET', path, repeat: 'always' })) as T
  }

  async #close(drainMs: number): Promise<void> {
    if (drainMs > 0 && this.#held.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#emptied = resolve
      await settledWithin(promise, drainMs)
    }
    const back = [...this.#held].map(keeper => keeper.giveBack('discarded'))
    // A service that does not answer ends them when nobody renews them.
    await settledWithin(Promise.all(back), CLIENT_LIMITS.serviceGraceMs)
    this.#caller.close()
  }

  #ended(keeper: RemoteKeeper): void {
    this.#held.delete(keeper)
    if (this.#held.size === 0) this.#emptied?.()
  }
}

/** Milliseconds between the service's clock and the end of the lease; null where its clock is not shown. */
function ttlBetween(answer: WireAnswer, { expiresAt }: LeaseView): number | null {
  const now = Date.parse(answer.header('date') ?? '')
  if (expiresAt === null || Number.isNaN(now)) return null
  const ms = Date.parse(expiresAt) - now
  return ms > 0 ? ms : null
}

/** Of 128 bits: a page without TLS has no `crypto.randomUUID`. */
function randomKey(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex')
}
