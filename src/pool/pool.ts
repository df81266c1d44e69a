/**
 * The pool: which targets there are, who holds what, and the one policy for all of them. It lives on the thread
 * that created it; the connections live in the I/O workers.
 */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { aborted, type WaitOptions } from '../base/wait.ts'
import type { EndName } from '../channel/channel.ts'
import type { Target } from '../config/target.ts'
import type { TargetInput } from '../config/target-input.ts'
import type { OnReset } from '../streams/stream-reader.ts'
import type { Dial } from '../threads/protocol.ts'
import { dialOf, keyOf } from './dial-of.ts'
import { type ExchangeReply, exchangeOn, type ReadSpec, remaining } from './exchange.ts'
import { Lease } from './lease.ts'
import type { ParseCall, ParsePort } from './parse-port.ts'
import { type ConnectionStats, connectionStats, type TargetStats, targetStats } from './pool-stats.ts'
import type { PooledConnection } from './pooled-connection.ts'
import { type Connector, TargetPool } from './target-pool.ts'
import type { Crowd } from './waiters.ts'

/** A target that a caller describes, already checked and rebuilt; `tls` as the config's. */
export type AdHocTarget = {
  readonly host: string
  readonly port: number
  readonly tls?: TargetInput['tls'] | undefined
  readonly connectTimeoutMs?: number | undefined
}

export type LeaseOptions = WaitOptions & {
  /** Milliseconds to wait for a free connection; 0 does not wait; default: the target's. */
  readonly waitMs?: number | undefined
  /** Milliseconds the lease lives without an operation; default: for ever, or the target's with `ttl: 'target'`. */
  readonly ttlMs?: number | undefined
  /** Whose it is; connections never move between tenants. */
  readonly tenant?: string | undefined
  /** Bytes; default of the reader's `limit`. */
  readonly limit?: number | undefined
  readonly onReset?: OnReset | undefined
}

export type ExchangeOptions = WaitOptions & {
  readonly write: string | Uint8Array
  readonly read: ReadSpec
  readonly tenant?: string | undefined
  /** Bytes that `read: {eof: true}` may gather; default unbounded. */
  readonly limit?: number | undefined
}

/** What happened in the pool that its owner may want to log. */
export type PoolEvent =
  | { readonly kind: 'leak'; readonly lease: Lease }
  | { readonly kind: 'lost'; readonly target: string; readonly how: EndName }

/** The I/O workers, as the pool needs them. */
export interface Fleet extends Connector {
  /** Keeps the process alive until `release` was called as often: somebody waits or holds. */
  hold(): void
  release(): void
  readonly isReady: boolean
  stats(): ReadonlyArray<{ readonly id: number }>
  stop(): Promise<void>
}

export type PoolParts = {
  readonly targets: Readonly<Record<string, Target>>
  readonly fleet: Fleet
  readonly parse: ParsePort
  /** Ends what `parse` runs on; called last. */
  readonly closeParse: () => Promise<void>
  /** The pool settings of targets that callers describe. */
  readonly adHoc: (target: AdHocTarget) => Target
  /** Whether such targets are judged by egress rules, or the caller is its own authority. */
  readonly adHocAuthority: Dial['authority']
  /** An early verdict on a described target, on this thread. Errors: TARGET_DENIED, INVALID_REQUEST. */
  readonly admit: (place: { readonly host: string; readonly port: number }, tenant: string) => void
  readonly leasesMax: number
  readonly waitersMax: number
  readonly replayBytes: number
  /** Whether leases without a `ttlMs` take the target's; a library's leases have none. */
  readonly defaultTtl: 'target' | 'none'
  readonly now?: () => number
  readonly random?: () => number
  readonly onEvent?: (event: PoolEvent) => void
}

export class Pool implements AsyncDisposable {
  readonly #parts: PoolParts
  readonly #now: () => number
  readonly #named = new Map<string, TargetPool>()
  /** Pools of described targets, by key; the one unused for longest goes first. */
  readonly #adHoc = new Map<string, TargetPool>()
  readonly #leases = new Map<PooledConnection, Lease>()
  readonly #crowd: Crowd
  readonly #sweep: NodeJS.Timeout
  #closed: Promise<void> | null = null

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#now = parts.now ?? (() => performance.now())
    let waiting = 0
    this.#crowd = {
      get isFull(): boolean {
        return waiting >= parts.waitersMax
      },
      max: parts.waitersMax,
      joined: () => {
        waiting++
        parts.fleet.hold()
      },
      left: () => {
        waiting--
        parts.fleet.release()
      },
    }
    for (const [name, target] of Object.entries(parts.targets))
      this.#named.set(name, this.#targetPool(name, target, dialOf(target, 'operator', '')))
    this.#sweep = setInterval(() => this.#tidy(), LIMITS.sweepIntervalMs)
    this.#sweep.unref()
    for (const target of this.#named.values()) target.warm()
  }

  /**
   * Leases a connection of a named target, or of a described one.
   *
   * Errors: TARGET_NOT_FOUND, TARGET_DENIED, INVALID_REQUEST, POOL_EXHAUSTED (`waitMs: 0` and none free),
   * WAIT_TIMEOUT, QUEUE_FULL, ABORTED, DRAINING; those of the dial: CONNECT_REFUSED, CONNECT_FAILED,
   * CONNECT_TIMEOUT, DNS_FAILED, TLS_FAILED, DIALOG_FAILED, WORKER_LOST.
   */
  async lease(target: string | AdHocTarget, options: LeaseOptions = {}): Promise<Lease> {
    const refusal = this.#refusal(1)
    if (refusal !== null) throw refusal
    const { tenant = '', ttlMs, limit, onReset = 'drain-then-raise', signal, timeoutMs } = options
    const pool = this.#find(target, tenant)
    const waitMs = options.waitMs ?? pool.target.pool.waitTimeoutMs
    const slot = await pool.lease({
      tenant,
      signal,
      waitMs: timeoutMs === undefined ? waitMs : Math.min(waitMs, timeoutMs),
    })
    const defaultTtlMs = this.#parts.defaultTtl === 'target' ? pool.target.pool.leaseTtlMs : null
    const lease = new Lease({
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
      giveBack: (refusal, graceful) => pool.release(slot, refusal, graceful),
      onEnded: () => {
        this.#leases.delete(slot)
        this.#parts.fleet.release()
      },
      onLeak: leaked => this.#parts.onEvent?.({ kind: 'leak', lease: leaked }),
    })
    this.#leases.set(slot, lease)
    this.#parts.fleet.hold()
    // In the turns since the connection came free the caller may have left, the pool closed, or others filled it.
    const late = signal?.aborted ? aborted('the wait for a connection', signal) : this.#refusal(0)
    if (late === null) return lease
    void lease.release()
    throw late
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
    run: (lease: Lease) => Promise<T> | T,
    options: LeaseOptions = {},
  ): Promise<T> {
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
   * One round trip: lease, write, drain, read one reply, release, under one deadline. The reply does not wait for
   * the verdict on the connection.
   */
  async exchange(target: string | AdHocTarget, options: ExchangeOptions): Promise<ExchangeReply> {
    const { write, read, timeoutMs, signal, tenant, limit } = options
    const startedMs = this.#now()
    const lease = await this.lease(target, { signal, timeoutMs, tenant })
    try {
      const wait = { signal, timeoutMs: remaining(timeoutMs, startedMs, this.#now()) }
      const reply = await lease.operation('exchange', () =>
        exchangeOn(lease, write, read, limit, wait, this.#now),
      )
      void lease.release()
      return reply
    } catch (error) {
      void lease.discard()
      throw error
    }
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

  /** Named targets first. */
  targets(): TargetStats[] {
    const named = [...this.#named.values()].map(pool => targetStats(pool, null))
    return [...named, ...[...this.#adHoc.values()].map(pool => targetStats(pool, pool.tenant))]
  }

  connections(): ConnectionStats[] {
    return this.#pools().flatMap(pool =>
      pool.connections.flatMap(slot =>
        connectionStats(pool, slot, this.#leases.get(slot) ?? null, this.#now()),
      ),
    )
  }

  workers(): Promise<ReturnType<Fleet['stats']>> {
    return Promise.resolve(this.#parts.fleet.stats())
  }

  stats(): {
    readonly leases: number
    readonly waiters: number
    readonly connections: number
    readonly targets: number
  } {
    const pools = this.#pools()
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
    const closing = this.#pools().map(pool => pool.close())
    await this.#drained(drainMs)
    for (const lease of this.#leases.values()) lease.kill()
    await Promise.all(closing)
    await this.#parts.fleet.stop()
    await this.#parts.closeParse()
  }

  /** Resolves when all leases have ended, or after `drainMs`. */
  async #drained(drainMs: number): Promise<void> {
    if (drainMs <= 0 || this.#leases.size === 0) return
    let timer: NodeJS.Timeout | undefined
    const time = new Promise(resolve => (timer = setTimeout(resolve, drainMs)))
    await Promise.race([Promise.all([...this.#leases.values()].map(lease => lease.ended)), time])
    clearTimeout(timer)
  }

  #find(target: string | AdHocTarget, tenant: string): TargetPool {
    if (typeof target === 'string') {
      const named = this.#named.get(target)
      if (named) return named
      throw new SockpoolError('TARGET_NOT_FOUND', 'no target of this name is configured')
    }
    const described = this.#parts.adHoc(target)
    for (const place of described.hosts) this.#parts.admit(place, tenant)
    const dial = dialOf(described, this.#parts.adHocAuthority, tenant)
    const key = `${keyOf(dial)} ${described.pool.connectTimeoutMs}`
    const known = this.#adHoc.get(key)
    const pool = known ?? this.#targetPool(`${target.host}:${target.port}`, described, dial)
    // The map's order is that of use.
    this.#adHoc.delete(key)
    this.#adHoc.set(key, pool)
    if (!known) this.#forgetUnused()
    return pool
  }

  #forgetUnused(): void {
    if (this.#adHoc.size <= LIMITS.targetPoolsMax) return
    for (const [key, pool] of this.#adHoc) {
      if (pool.size > 0 || pool.waiters > 0) continue
      this.#adHoc.delete(key)
      return
    }
    throw new SockpoolError('QUEUE_FULL', `${LIMITS.targetPoolsMax} targets are in use already`)
  }

  #targetPool(name: string, target: Target, dial: Dial): TargetPool {
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
        this.#leases.get(slot)?.connectionLost(how)
        this.#parts.onEvent?.({ kind: 'lost', target: name, how })
      },
    })
  }

  #pools(): TargetPool[] {
    return [...this.#named.values(), ...this.#adHoc.values()]
  }

  #tidy(): void {
    for (const pool of this.#pools()) pool.sweep()
    for (const [key, pool] of this.#adHoc) {
      const isUnused = pool.size === 0 && pool.waiters === 0
      if (isUnused && this.#now() - pool.lastUsedMs > pool.target.pool.idleTimeoutMs) this.#adHoc.delete(key)
    }
  }
}
