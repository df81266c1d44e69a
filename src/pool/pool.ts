/**
 * The pool: which targets there are, who holds what, and the one policy for all of them. It lives on the thread
 * that created it; the connections live in the I/O workers.
 */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { Queue } from '../base/queue.ts'
import { aborted } from '../base/wait.ts'
import type { Target } from '../config/target.ts'
import { positiveLimit } from '../streams/reading/read-options.ts'
import { AttachDesk } from '../threads/attach-desk.ts'
import type { PoolHandle } from '../threads/attach-protocol.ts'
import type { Dial, ListenSpec } from '../threads/protocol.ts'
import { AttachedThread } from './attached/attached-thread.ts'
import { type ExchangeReply, type ExchangeRequest, exchangeBy, useLease } from './lease/exchange.ts'
import { keepAliveSwitch } from './lease/keep-alive-switch.ts'
import { Lease } from './lease/lease.ts'
import { LeaseHandle } from './lease/lease-handle.ts'
import type { LeaseOptions } from './lease/lease-options.ts'
import type { LeaseParts } from './lease/lease-parts.ts'
import type { ParseCall } from './lease/parse-port.ts'
import type { Fleet, PoolParts } from './pool-parts.ts'
import type { ConnectionHandler, Server } from './server/server.ts'
import { type ListenOptions, Servers } from './server/servers.ts'
import { Crowd } from './target/crowd.ts'
import type { HeldLease } from './target/held-lease.ts'
import {
  type ConnectionStats,
  connectionStats,
  type PoolStats,
  type TargetStats,
} from './target/pool-stats.ts'
import { TargetPool } from './target/target-pool.ts'
import { type AdHocTarget, TargetPools } from './target/target-pools.ts'

export class Pool implements AsyncDisposable {
  readonly #parts: PoolParts
  readonly #now: () => number
  readonly #pools: TargetPools
  readonly #leases = new Queue<HeldLease>()
  readonly #crowd: Crowd
  readonly #servers: Servers
  readonly #sweep: NodeJS.Timeout
  #attached: AttachDesk | null = null
  #closed: Promise<void> | null = null

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#now = parts.now ?? (() => performance.now())
    this.#crowd = new Crowd(parts.waitersMax, parts.fleet)
    this.#pools = new TargetPools(parts.targets, parts, (name, target, dial) =>
      this.#open(name, target, dial),
    )
    this.#servers = new Servers({ ...parts, now: this.#now, makeHold: () => keepAliveSwitch(parts.fleet) })
    this.#sweep = setInterval(() => this.#pools.sweep(this.#now()), LIMITS.sweepIntervalMs)
    this.#sweep.unref()
    for (const pool of this.#pools.all) pool.warm()
  }

  /**
   * Leases a connection of a named target, or of a described one.
   *
   * Errors: TARGET_NOT_FOUND, TARGET_DENIED, INVALID_REQUEST, POOL_EXHAUSTED (`waitMs: 0` and none free),
   * WAIT_TIMEOUT, QUEUE_FULL, ABORTED, DRAINING; those of the dial: CONNECT_REFUSED, CONNECT_FAILED,
   * CONNECT_TIMEOUT, DNS_FAILED, TLS_FAILED, DIALOG_FAILED, WORKER_LOST.
   */
  async lease(target: string | AdHocTarget, options: LeaseOptions = {}): Promise<LeaseHandle> {
    return new LeaseHandle(await this.#lease(target, options))
  }

  #lease(target: string | AdHocTarget, options: LeaseOptions): Promise<Lease> {
    return this.#leaseAs(target, options, parts => new Lease(parts))
  }

  /** What another thread of this process needs for `attachPool`: plain data that may be cloned. */
  get handle(): PoolHandle {
    const { fleet, parse } = this.#parts
    this.#attached ??= new AttachDesk(
      line =>
        new AttachedThread(line, {
          parse,
          leaseAs: (target, options, make) => this.#leaseAs(target, options, make),
          limitOf: (target, tenant = '') => {
            const { name, target: found } = this.#pools.find(target, tenant)
            return { name, max: found.pool.max }
          },
          stats: () => this.stats(),
          setHolder: (holder, doorbell) => fleet.setHolder(holder, doorbell),
        }),
    )
    if (this.#closed !== null) this.#attached.close()
    return this.#attached.handle
  }

  async #leaseAs<T extends HeldLease>(
    target: string | AdHocTarget,
    options: LeaseOptions,
    make: (parts: LeaseParts) => T,
  ): Promise<T> {
    const refusal = this.#refusal(1)
    if (refusal !== null) throw refusal
    const { tenant = '', ttlMs, limit, onReset = 'drain-then-raise', signal, timeoutMs } = options
    // Before there is a connection that nobody would have.
    if (limit !== undefined) positiveLimit(limit)
    const pool = this.#pools.find(target, tenant)
    const waitMs = options.waitMs ?? pool.target.pool.waitTimeoutMs
    const slot = await pool.lease({
      tenant,
      signal,
      waitMs: timeoutMs === undefined ? waitMs : Math.min(waitMs, timeoutMs),
    })
    const keepAlive = keepAliveSwitch(this.#parts.fleet)
    keepAlive(true)
    const defaultTtlMs = this.#parts.defaultTtl === 'target' ? pool.target.pool.leaseTtlMs : null
    const lease: T = make({
      target: pool.name,
      tenant,
      connection: slot.leased,
      reused: slot.uses > 1,
      reuse: pool.target.reuse,
      ttlMs: ttlMs ?? defaultTtlMs,
      replayBytes: this.#parts.replayBytes,
      limit,
      onReset,
      leakDetectionMs: pool.target.leakDetectionMs,
      parse: this.#parts.parse,
      now: this.#now,
      isTooOld: () => this.#now() >= slot.diesMs,
      giveBack: (refusal, graceful) => this.#awaited(pool.release(slot, refusal, graceful)),
      keepAlive,
      onEnded: () => {
        this.#leases.remove(held)
        if (slot.lease === lease) slot.lease = null
        keepAlive(false)
      },
      onLeak: () => this.#parts.onEvent?.({ kind: 'leak', lease }),
    })
    const held = this.#leases.add(lease)
    slot.lease = lease
    // In the turns since the connection came free the caller may have left, the pool closed, or others filled it.
    const late = signal?.aborted ? aborted('the wait for a connection', signal) : this.#refusal(0)
    if (late === null) return lease
    void lease.release()
    throw late
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
    const { leasesMax } = this.#parts
    if (this.#closed !== null) return new SockpoolError('DRAINING', 'the pool is closed')
    if (this.#leases.size + more <= leasesMax) return null
    return new SockpoolError('QUEUE_FULL', `${leasesMax} leases are held already`)
  }

  /** Leases, runs, and releases; a `run` that throws discards the connection. Errors: those of `lease` and `run`. */
  async use<T>(
    target: string | AdHocTarget,
    run: (lease: LeaseHandle) => Promise<T> | T,
    options: LeaseOptions = {},
  ): Promise<T> {
    return await useLease(await this.lease(target, options), run)
  }

  /**
   * One round trip: lease, write, drain, read one reply, release, under one deadline. The reply does not wait for
   * the verdict on the connection.
   */
  async exchange(target: string | AdHocTarget, options: ExchangeRequest): Promise<ExchangeReply> {
    return await exchangeBy(wait => this.#lease(target, wait), options, this.#now)
  }

  /** All values of a complete input, parsed off this thread. Errors: as Parsers.parse. */
  parse(format: string, bytes: Uint8Array, options?: object, call: ParseCall = {}): Promise<unknown[]> {
    return this.#parts.parse.parse(format, bytes, options, call)
  }

  /** Runs a module's default function `(argument) => value` in a thread where it may block. */
  run(module: URL | string, argument?: unknown, call: ParseCall = {}): Promise<unknown> {
    return this.#parts.parse.run(module, argument, call)
  }

  get ready(): boolean {
    return this.#closed === null && this.#parts.fleet.isReady
  }

  targets(): TargetStats[] {
    return this.#pools.stats()
  }

  connections(): ConnectionStats[] {
    return this.#pools.all.flatMap(pool =>
      pool.connections.flatMap(slot => connectionStats(pool, slot, this.#now())),
    )
  }

  workers(): Promise<ReturnType<Fleet['stats']>> {
    return Promise.resolve(this.#parts.fleet.stats())
  }

  stats(): PoolStats {
    const pools = this.#pools.all
    const sum = (of: (pool: TargetPool) => number): number =>
      pools.reduce((total, pool) => total + of(pool), 0)
    return {
      leases: this.#leases.size,
      waiters: sum(pool => pool.waiters),
      connections: sum(pool => pool.size),
      targets: pools.length,
    }
  }

  /** Closes everything: waiters fail, leases are killed after `drainMs`, threads end. Safe to call twice. */
  close(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(options.drainMs ?? 0)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(drainMs: number): Promise<void> {
    clearInterval(this.#sweep)
    this.#servers.close()
    const closing = [...this.#pools.all.map(pool => pool.close()), this.#servers.waitClosed()]
    await this.#drained(drainMs)
    for (const { value: lease } of this.#leases) lease.kill()
    this.#servers.abortClients()
    await this.#awaited(Promise.all(closing))
    await this.#parts.fleet.stop()
    this.#attached?.close()
    await this.#parts.closeParse()
  }

  /** Keeps the process alive for an answer of the I/O workers: they answer by the doorbell, which does not. */
  async #awaited<T>(answer: Promise<T>): Promise<T> {
    this.#parts.fleet.hold()
    try {
      return await answer
    } finally {
      this.#parts.fleet.release()
    }
  }

  /** Resolves when all leases have ended, or after `drainMs`. */
  async #drained(drainMs: number): Promise<void> {
    if (drainMs <= 0 || this.#leases.size + this.#servers.clients === 0) return
    let timer: NodeJS.Timeout | undefined
    const time = new Promise(resolve => (timer = setTimeout(resolve, drainMs)))
    const ended = Array.from(this.#leases, async ({ value: lease }) => void (await lease.ended))
    await Promise.race([Promise.all([...ended, this.#servers.waitClosed()]), time])
    clearTimeout(timer)
  }

  #open(name: string, target: Target, dial: Dial): TargetPool {
    const { fleet, random = Math.random } = this.#parts
    return new TargetPool({
      name,
      target,
      dial,
      connector: fleet,
      crowd: this.#crowd,
      now: this.#now,
      random,
      onLost: (slot, how) => {
        slot.lease?.connectionLost(how)
        this.#parts.onEvent?.({ kind: 'lost', target: name, how })
      },
    })
  }
}
