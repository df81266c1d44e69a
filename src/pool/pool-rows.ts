/** What a pool shows of itself, in rows and counts: connections that it dialled, and those that came to it. */
import type { Leases } from './leases.ts'
import type { MessageForwards } from './message-forwards.ts'
import type { Multiplexers } from './multiplex/multiplexers.ts'
import type { PoolDeps } from './pool-deps.ts'
import {
  type ConnectionReport,
  type ConnectionStats,
  type PoolStats,
  poolStats,
  rowsOf,
  type TargetStats,
} from './target/pool-stats.ts'
import type { TargetPools } from './target/target-pools.ts'

type PoolRowsDeps = Pick<PoolDeps, 'parse' | 'fleet'> & {
  readonly pools: TargetPools
  readonly leases: Leases
  readonly multiplexers: Multiplexers
  readonly messages: MessageForwards
  readonly now: () => number
}

export class PoolRows {
  readonly #deps: PoolRowsDeps
  readonly #startedMs: number

  constructor(deps: PoolRowsDeps) {
    this.#deps = deps
    this.#startedMs = deps.now()
  }

  targets(): TargetStats[] {
    const { pools, multiplexers, messages } = this.#deps
    return pools.stats(pool => ({
      multiplex: multiplexers.statsOf(pool),
      messages: messages.statsOf(pool.name),
    }))
  }

  /** Callers that wait for a named target ahead of its own queue, less those who stand there for them. */
  aheadOf(target: string): number {
    const { multiplexers, messages } = this.#deps
    return multiplexers.aheadOf(target) + messages.aheadOf(target)
  }

  connections(): ConnectionStats[] {
    const { pools, leases, now } = this.#deps
    return [...pools.all.flatMap(pool => rowsOf(pool, now())), ...leases.listeners.rows()]
  }

  /** A connection, and its last operations, oldest first. Errors: CONNECTION_NOT_FOUND. */
  connection(id: string): ConnectionReport {
    const { pools, leases, now } = this.#deps
    return leases.listeners.report(id) ?? pools.report(id, now())
  }

  stats(): PoolStats {
    const { pools, leases, parse, fleet, now } = this.#deps
    const { all, size: targets } = pools
    const dialled = poolStats(all, {
      leases: leases.size,
      targets,
      parse: parse.load,
      ringBytes: fleet.ringBytes + leases.replayBytes,
      uptimeMs: now() - this.#startedMs,
    })
    const { idle, leased, closing } = leases.listeners.counts
    const { connections } = dialled
    return {
      ...dialled,
      connections: {
        ...connections,
        idle: connections.idle + idle,
        leased: connections.leased + leased,
        closing: connections.closing + closing,
      },
    }
  }
}
