/** The multiplexers of a pool: one for each target that has its exchanges share connections, from its first call on. */
import type { ExchangeReply } from '../lease/exchange.ts'
import type { JudgedExchange } from '../lease/exchange-request.ts'
import type { MultiplexStats } from '../target/pool-stats.ts'
import type { TargetPool } from '../target/target-pool.ts'
import { Multiplexer, type MultiplexerDeps, type SharedHeld } from './multiplexer.ts'

export type MultiplexersDeps = Pick<MultiplexerDeps, 'waiterCount' | 'now'> & {
  /** Errors: as TargetPool.lease. */
  readonly connect: (pool: TargetPool, signal: AbortSignal) => Promise<SharedHeld>
}

const NONE: MultiplexStats = { connections: 0, inFlight: 0, queued: 0, orphans: 0, unsolicited: 0 }

export class Multiplexers {
  readonly #deps: MultiplexersDeps
  readonly #byPool = new Map<TargetPool, Multiplexer>()

  constructor(deps: MultiplexersDeps) {
    this.#deps = deps
  }

  /** Calls that wait or are under way. */
  get calls(): number {
    return Array.from(this.#byPool.values()).reduce(
      (sum, { stats }) => sum + stats.inFlight + stats.queued,
      0,
    )
  }

  /** Resolves when there is none. */
  async allAnswered(): Promise<void> {
    await Promise.all(Array.from(this.#byPool.values(), multiplexer => multiplexer.allAnswered()))
  }

  /** The reply, where the exchange can share a connection; null where it takes one to itself. Errors: as Multiplexer. */
  exchange(pool: TargetPool, exchange: JudgedExchange): Promise<ExchangeReply> | null {
    const { read } = exchange
    const { multiplex, frame } = pool.target
    const isOwn = 'messages' in read && read.messages === 1 && (read.frame === null || read.frame === frame)
    if (multiplex === undefined || !isOwn) return null
    return this.#of(pool, multiplex).exchange(exchange)
  }

  /** Null for a target that has none. */
  statsOf(pool: TargetPool): MultiplexStats | null {
    return pool.target.multiplex === undefined ? null : (this.#byPool.get(pool)?.stats ?? NONE)
  }

  /** As Multiplexer.tend, of all. */
  tend(): void {
    for (const multiplexer of this.#byPool.values()) multiplexer.tend()
  }

  close(): void {
    for (const multiplexer of this.#byPool.values()) multiplexer.close()
  }

  #of(pool: TargetPool, settings: MultiplexerDeps['settings']): Multiplexer {
    const known = this.#byPool.get(pool)
    if (known) return known
    const { connect, ...deps } = this.#deps
    const multiplexer = new Multiplexer({ ...deps, pool, settings, connect: signal => connect(pool, signal) })
    this.#byPool.set(pool, multiplexer)
    return multiplexer
  }
}
