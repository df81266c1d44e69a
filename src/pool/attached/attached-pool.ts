/**
 * A pool of another thread, on this one. That thread decides who gets which connection; the bytes of a lease go between
 * this thread and the I/O worker directly. Leases are of two kinds: `lease` gives the asynchronous one that the pool
 * itself gives, `leaseSync` one for straight-line code that blocks.
 */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'
import { aborted } from '../../base/wait.ts'
import { positiveLimit } from '../../streams/reading/read-options.ts'
import { AttachLine } from '../../threads/attach-line.ts'
import type { GrantData, PoolHandle } from '../../threads/attach-protocol.ts'
import {
  type ExchangeReply,
  type ExchangeRequest,
  exchangeBy,
  remaining,
  useLease,
} from '../lease/exchange.ts'
import { keepAliveSwitch } from '../lease/keep-alive-switch.ts'
import { Lease } from '../lease/lease.ts'
import { LeaseHandle } from '../lease/lease-handle.ts'
import type { LeaseOptions } from '../lease/lease-options.ts'
import type { ParseCall } from '../lease/parse-port.ts'
import type { PoolStats } from '../target/pool-stats.ts'
import type { AdHocTarget } from '../target/target-pools.ts'
import type { ReleaseVerdict } from '../target/verdict.ts'
import { AttachedBells, AttachedConnection } from './attached-connection.ts'
import { AttachedParsePort } from './attached-parse-port.ts'
import { BlockingLease, type BlockingLeaseOptions } from './blocking-lease.ts'
import { exchangeSyncOn } from './exchange-sync.ts'

export type LeaseSyncOptions = Omit<LeaseOptions, 'signal'> & BlockingLeaseOptions
export type ExchangeSyncOptions = Omit<ExchangeRequest, 'signal'>

/** A lease of either kind, as the pool's word reaches it. */
type Held = {
  /** The pool has ended it. */
  readonly end: (reason: GoneReason) => void
  /** The pool is gone, and the connection with it. */
  readonly lose: () => void
}

export class AttachedPool implements AsyncDisposable, Disposable {
  readonly #line: AttachLine
  readonly #bells = new AttachedBells()
  readonly #held = new Map<number, Held>()
  readonly #parse: AttachedParsePort

  /** Errors: WOULD_DEADLOCK on the thread that created the pool. */
  constructor(handle: PoolHandle) {
    try {
      this.#line = new AttachLine({
        handle,
        doorbell: this.#bells.memory,
        onEnded: (lease, reason) => this.#held.get(lease)?.end(reason),
        onLost: () => this.#lost(),
      })
    } catch (error) {
      this.#bells.stop()
      throw error
    }
    this.#parse = new AttachedParsePort(this.#line, 0)
  }

  /** As Pool.lease. Errors: also DRAINING when the pool is gone, NOT_READY when its thread does not answer. */
  async lease(target: string | AdHocTarget, options: LeaseOptions = {}): Promise<LeaseHandle> {
    return new LeaseHandle(await this.#lease(target, options))
  }

  async #lease(target: string | AdHocTarget, options: LeaseOptions): Promise<Lease> {
    const { waitMs, timeoutMs, ttlMs, tenant, signal, limit } = options
    // Before there is a connection that nobody would have.
    if (limit !== undefined) positiveLimit(limit)
    const data = { target, options: { waitMs, timeoutMs, ttlMs, tenant }, blocks: false }
    const grant = (await this.#line.request('lease', data, signal)) as GrantData
    const lease = this.#hold(grant, options)
    if (!signal?.aborted) return lease
    void lease.release()
    throw aborted('the wait for a connection', signal)
  }

  /** As Pool.use. */
  async use<T>(
    target: string | AdHocTarget,
    run: (lease: LeaseHandle) => Promise<T> | T,
    options: LeaseOptions = {},
  ): Promise<T> {
    return await useLease(await this.lease(target, options), run)
  }

  /** As Pool.exchange. */
  async exchange(target: string | AdHocTarget, options: ExchangeRequest): Promise<ExchangeReply> {
    return await exchangeBy(wait => this.#lease(target, wait), options, now)
  }

  /**
   * Leases a connection, and blocks this thread until there is one.
   *
   * Units: `operationTimeoutMs` bounds each call of its reader and writer that does not say otherwise.
   * Errors: as `lease`; WORKER_LOST when the thread of the pool has died; WOULD_DEADLOCK where this thread itself holds
   * all connections that the target may have, and so nobody could ever give one back.
   */
  leaseSync(target: string | AdHocTarget, options: LeaseSyncOptions = {}): BlockingLease {
    const { waitMs, timeoutMs, ttlMs, tenant, limit } = options
    if (limit !== undefined) positiveLimit(limit)
    const data = { target, options: { waitMs, timeoutMs, ttlMs, tenant }, blocks: true }
    const grant = this.#line.requestSync('lease', data) as GrantData
    const lease = new BlockingLease({
      grant,
      connection: new AttachedConnection(grant, this.#line, this.#bells),
      line: this.#line,
      options,
      onEnded: () => this.#held.delete(grant.lease),
    })
    this.#held.set(grant.lease, { end: reason => lease.end(reason), lose: () => lease.end('worker_lost') })
    return lease
  }

  /** Leases, runs, and releases, blocking; a `run` that throws discards the connection. */
  useSync<T>(
    target: string | AdHocTarget,
    run: (lease: BlockingLease) => T,
    options: LeaseSyncOptions = {},
  ): T {
    const lease = this.leaseSync(target, options)
    try {
      const result = run(lease)
      lease.release()
      return result
    } finally {
      lease.discard()
    }
  }

  /** As `exchange`, blocking. The reply does not wait for the verdict on the connection. */
  exchangeSync(target: string | AdHocTarget, options: ExchangeSyncOptions): ExchangeReply {
    const { write, read, timeoutMs, tenant, limit } = options
    const startedMs = now()
    const lease = this.leaseSync(target, { timeoutMs, tenant })
    try {
      const reply = exchangeSyncOn(lease, write, read, limit, remaining(timeoutMs, startedMs, now()))
      lease.letGo()
      return reply
    } finally {
      lease.abandon()
    }
  }

  /** As Pool.parse. */
  parse(format: string, bytes: Uint8Array, options?: object, call: ParseCall = {}): Promise<unknown[]> {
    return this.#parse.parse(format, bytes, options, call)
  }

  /** As Pool.run. */
  run(module: URL | string, argument?: unknown, call: ParseCall = {}): Promise<unknown> {
    return this.#parse.run(module, argument, call)
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
    for (const held of [...this.#held.values()]) held.end('killed')
    this.#line.close()
    this.#bells.stop()
  }

  #hold(grant: GrantData, { limit, onReset = 'drain-then-raise' }: LeaseOptions): Lease {
    const line = this.#line
    const connection = new AttachedConnection(grant, line, this.#bells)
    const keepAlive = keepAliveSwitch({ hold: () => line.hold(), release: () => line.letGo() })
    keepAlive(true)
    const { lease: number, target, tenant, reused, reuse, ttlMs, replayBytes } = grant
    let isGivenBack = false
    const lease = new Lease({
      target,
      tenant,
      connection,
      reused,
      reuse,
      ttlMs,
      replayBytes,
      limit,
      onReset,
      leakDetectionMs: undefined,
      parse: new AttachedParsePort(line, number),
      now,
      // The pool's own record knows.
      isTooOld: () => false,
      giveBack: (refusal, graceful) => {
        isGivenBack = true
        return verdictOf(line.release({ lease: number, refusal, graceful }))
      },
      keepAlive,
      onEnded: () => {
        this.#held.delete(number)
        connection.leave()
        keepAlive(false)
        // A lease whose connection broke ends without being given back; its channel still has to be let go of.
        queueMicrotask(() => {
          if (!isGivenBack)
            line.post({ kind: 'release', request: null, lease: number, refusal: 'error', graceful: false })
        })
      },
      onLeak: () => {},
      onRenewed: renewedMs => line.post({ kind: 'renew', lease: number, ttlMs: renewedMs }),
    })
    this.#held.set(number, {
      end: reason => lease.kill(reason),
      lose: () => connection.lose('workerLost'),
    })
    connection.listen(how => lease.connectionLost(how))
    return lease
  }

  #lost(): void {
    for (const held of [...this.#held.values()]) held.lose()
  }
}

/** A pool that is gone has closed the connection. */
async function verdictOf(answer: Promise<unknown>): Promise<ReleaseVerdict> {
  try {
    return (await answer) as ReleaseVerdict
  } catch (error) {
    if (error instanceof SockpoolError) return { outcome: 'closed', reason: 'error' }
    throw error
  }
}

function now(): number {
  return performance.now()
}
