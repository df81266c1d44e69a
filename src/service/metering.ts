/** What is counted in a service for its metrics, from before its pool is there, and the metrics that come of it. */

import { LIMITS } from '../base/limits.ts'
import { LoopDelay } from '../base/loop-delay.ts'
import { ParseTally } from '../base/parse-tally.ts'
import { stderrLog } from '../base/stderr-log.ts'
import { OTHER_REQUESTS } from '../channel/http-figures.ts'
import { SharedDurations } from '../channel/shared-durations.ts'
import type { AppDeps } from '../http/ports.ts'
import type { JoinedPool, ServiceTraits } from '../library/create-pool.ts'
import type { PoolOptions } from '../library/pool-options.ts'
import type { InstanceMeters } from '../metrics/instance-samples.ts'
import { Metrics } from '../metrics/metrics.ts'
import { ServiceCounts } from '../metrics/service-counts.ts'
import { TargetTallies } from '../pool/target/target-tally.ts'
import type { HttpThreads } from './http-threads.ts'

type PoolEvents = NonNullable<PoolOptions['onEvent']>

export type MeteredParts = Omit<JoinedPool, 'deny'> & {
  /** Null where the main thread alone serves HTTP. */
  readonly threads: () => HttpThreads | null
  /** The fleet that this instance is of; default: it stands alone. */
  readonly instances?: () => InstanceMeters | null
  readonly version: string
}

export class Metering {
  readonly counts: ServiceCounts = new ServiceCounts()
  /** Requests that the main thread answers. */
  readonly durations: SharedDurations = new SharedDurations(LIMITS.requestKindsMax, OTHER_REQUESTS)
  readonly #tallies = new TargetTallies()
  readonly #parse = new ParseTally()
  readonly #loopDelay = new LoopDelay()

  /** What the pool is to count. */
  get traits(): NonNullable<ServiceTraits['metered']> {
    const { counts } = this
    const onDenied: (typeof counts)['countDenied'] = reason => counts.countDenied(reason)
    return { tallies: this.#tallies, parse: this.#parse, onDenied }
  }

  /** What the HTTP app is to count. */
  get counting(): Pick<AppDeps, 'durations' | 'forwarded'> {
    const { durations, counts } = this
    return { durations, forwarded: { count: result => counts.countForwarded(result) } }
  }

  heard(event: Parameters<PoolEvents>[0]): void {
    if (event.kind === 'worker_lost') this.counts.countLost('io')
    if (event.kind !== 'decision') return
    const { verdict, reason } = event.decision
    if (verdict === 'denied' && reason !== null) this.counts.countDenied(reason)
  }

  metrics({ pool, fleet, parsers, threads, instances = () => null, version }: MeteredParts): Metrics {
    return new Metrics({
      pool,
      tallies: this.#tallies,
      fleet: fleet.figures,
      missedWakes: () => fleet.missedWakes,
      http: () => threads()?.figures() ?? [],
      loopDelay: this.#loopDelay,
      counts: this.counts,
      parse: { tally: this.#parse, stats: () => parsers.stats() },
      requests: () => [...this.durations.rows(), ...(threads()?.requests() ?? [])],
      logDropped: () => stderrLog().dropped + (threads()?.logDropped ?? 0),
      instances,
      version,
    })
  }

  stop(): void {
    this.#loopDelay.stop()
  }
}
