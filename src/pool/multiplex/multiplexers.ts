/** The multiplexers of a pool: one for each target that has its exchanges share connections, from its first call on. */
import type { SockpoolError } from '../../base/errors.ts'
import type { MultiplexSettings } from '../../config/multiplex.ts'
import type { ExchangeReply } from '../lease/exchange.ts'
import type { JudgedExchange } from '../lease/exchange-request.ts'
import type { DialParent } from '../target/dial-parent.ts'
import type { MultiplexStats } from '../target/pool-stats.ts'
import type { TargetPool } from '../target/target-pool.ts'
import { Multiplexer, type MultiplexerDeps } from './multiplexer.ts'
import type { SharedHeld } from './shared-connection.ts'

export type MultiplexersDeps = Pick<MultiplexerDeps, 'waiterCount' | 'now' | 'onFault'> & {
  /** Errors: as TargetPool.lease. */
  readonly connect: (
    pool: TargetPool,
    signal: AbortSignal,
    dialParent: DialParent | null,
  ) => Promise<SharedHeld>
}

const NONE: MultiplexStats = { connections: 0, inFlight: 0, queued: 0, orphans: 0, unsolicited: 0 }

export class Multiplexers {
  readonly #deps: MultiplexersDeps
  readonly #byPool = new WeakMap<TargetPool, Multiplexer>()
  /** Those that are left by their targets too, while calls are on them. */
  readonly #all = new Set<Multiplexer>()

  constructor(deps: MultiplexersDeps) {
    this.#deps = deps
  }

  /** Calls that wait or are under way. */
  get calls(): number {
    return Array.from(this.#all).reduce((sum, { stats }) => sum + stats.inFlight + stats.queued, 0)
  }

  /** Resolves when there is none. */
  async allAnswered(): Promise<void> {
    await Promise.all(Array.from(this.#all, multiplexer => multiplexer.allAnswered()))
  }

  /** The reply, where the exchange can share a connection; null where it takes one to itself. Errors: as Multiplexer. */
  exchange(pool: TargetPool, exchange: JudgedExchange): Promise<ExchangeReply> | null {
    const { read } = exchange
    const isOwn = 'messages' in read && read.messages === 1
    if (!isOwn || (read.frame !== null && read.frame !== pool.target.frame)) return null
    return this.#of(pool)?.exchange(exchange) ?? null
  }

  /** Null for a target that has none. */
  statsOf(pool: TargetPool): MultiplexStats | null {
    return pool.target.multiplex === undefined ? null : (this.#byPool.get(pool)?.stats ?? NONE)
  }

  /** Calls that wait for a target, less those that wait in its own queue on their behalf. */
  aheadOf(target: string): number {
    let ahead = 0
    for (const multiplexer of this.#all) if (multiplexer.pool.name === target) ahead += multiplexer.ahead
    return ahead
  }

  /** As Multiplexer.tend, of all. */
  tend(): void {
    for (const multiplexer of this.#all) {
      multiplexer.tend()
      if (multiplexer.isOver) this.#all.delete(multiplexer)
    }
  }

  /** Fails the calls that wait for whom `refusal` has an error. */
  refuse(refusal: (tenant: string, pool: TargetPool) => SockpoolError | null): void {
    for (const multiplexer of this.#all) multiplexer.refuse(tenant => refusal(tenant, multiplexer.pool))
  }

  close(): void {
    for (const multiplexer of this.#all) multiplexer.close()
  }

  /** That of the target as it is now: where the configuration has been read anew, another one may have been before. */
  #of(pool: TargetPool): Multiplexer | null {
    const { multiplex } = pool.target
    const known = this.#byPool.get(pool)
    if (multiplex === undefined || known?.serves === false) {
      known?.leave()
      this.#byPool.delete(pool)
    }
    if (multiplex === undefined) return null
    return this.#byPool.get(pool) ?? this.#open(pool, multiplex)
  }

  #open(pool: TargetPool, settings: MultiplexSettings): Multiplexer {
    const { connect, ...deps } = this.#deps
    const own: MultiplexerDeps['connect'] = (signal, dialParent) => connect(pool, signal, dialParent)
    const multiplexer = new Multiplexer({ ...deps, pool, settings, connect: own })
    this.#byPool.set(pool, multiplexer)
    this.#all.add(multiplexer)
    return multiplexer
  }
}
