/** What is there before a service has a pool, and outlives it: a demo's upstream, traces, what is counted, the fleet. */
import type { Logger } from 'pino'
import { invariant } from '../base/errors.ts'
import type { Config } from '../config/config.ts'
import { type DemoUpstream, startDemoUpstream } from '../threads/demo-upstream.ts'
import type { OtlpTraces } from '../tracing/otlp.ts'
import { startTraces } from '../tracing/service-traces.ts'
import { Metering } from './metering.ts'
import { ServiceFleet } from './service-fleet.ts'

export type SurroundingsOptions = {
  readonly isDemo: boolean
  readonly log: Logger
  /** The program's own. */
  readonly version: string
}

export class Surroundings {
  readonly metering: Metering = new Metering()
  #demo: DemoUpstream | null = null
  #traces: OtlpTraces | null = null
  #fleet: ServiceFleet | null = null

  private constructor() {}

  /** Where it fails, nothing of it is left. Errors: those of the demo's upstream and of ServiceFleet.open. */
  static async open(config: Config, options: SurroundingsOptions): Promise<Surroundings> {
    const surroundings = new Surroundings()
    await surroundings.orClose(() => surroundings.#open(config, options))
    return surroundings
  }

  async #open({ fleet, telemetry }: Config, { isDemo, log, version }: SurroundingsOptions): Promise<void> {
    this.#fleet = await ServiceFleet.open(fleet, log, version)
    this.#demo = isDemo ? await startDemoUpstream() : null
    // Before anything is dialled that would be traced.
    this.#traces = await startTraces(telemetry, log)
  }

  get demo(): DemoUpstream | null {
    return this.#demo
  }

  get traces(): OtlpTraces | null {
    return this.#traces
  }

  get fleet(): ServiceFleet {
    invariant(this.#fleet !== null, 'the surroundings are not open yet')
    return this.#fleet
  }

  /** What `make` makes; where it throws there is nothing left of these. */
  async orClose<T>(make: () => T | Promise<T>): Promise<T> {
    try {
      return await make()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** The fleet may have been closed before. It never rejects for that. */
  async close(): Promise<void> {
    await this.#fleet?.close()
    this.metering.stop()
    await this.#demo?.close()
    await this.#traces?.close()
  }
}
