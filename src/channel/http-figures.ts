/** What a thread that serves HTTP tells of itself in shared memory: it goes on where another takes its place. */
import { LIMITS } from '../base/limits.ts'
import { type CountMemory, SharedCount } from './shared-count.ts'
import { type DurationsMemory, SharedDurations } from './shared-durations.ts'
import { type GaugeMemory, SharedGauge } from './shared-gauge.ts'

export type HttpFiguresMemory = {
  readonly durations: DurationsMemory
  readonly loopDelay: GaugeMemory
  readonly logDropped: CountMemory
}

/** The kind of all requests for which there is no room among the others. */
export const OTHER_REQUESTS = 'other other other'

export class HttpFigures {
  /** Requests that it has answered itself, by method, route and status. */
  readonly durations: SharedDurations
  readonly loopDelay: SharedGauge
  /** Lines of its log that it had to drop. */
  readonly logDropped: SharedCount

  constructor(memory?: HttpFiguresMemory) {
    const { durations, loopDelay, logDropped } = memory ?? {}
    this.durations = new SharedDurations(LIMITS.threadRequestKindsMax, OTHER_REQUESTS, durations)
    this.loopDelay = new SharedGauge(loopDelay)
    this.logDropped = new SharedCount(logDropped)
  }

  get memory(): HttpFiguresMemory {
    const { durations, loopDelay, logDropped } = this
    return { durations: durations.memory, loopDelay: loopDelay.memory, logDropped: logDropped.memory }
  }
}
