/**
 * How long the event loop of this thread has kept its timers waiting of late. The system's own timer looks every few
 * milliseconds, without a turn of the loop in JavaScript; what is told is the longest delay of the last window or two, so
 * that whoever asks now and then misses none, however many ask.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { LIMITS } from './limits.ts'

const NS_PER_MS = 1_000_000

export class LoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: LIMITS.loopDelayLookMs })
  #sinceMs = performance.now()
  #beforeMs = 0

  constructor() {
    this.#histogram.enable()
  }

  /** Milliseconds: the longest of late. */
  get longestMs(): number {
    // What is measured is the time from one look to the next.
    const longestMs = Math.max(0, this.#histogram.max / NS_PER_MS - LIMITS.loopDelayLookMs)
    const before = this.#beforeMs
    const nowMs = performance.now()
    if (nowMs - this.#sinceMs >= LIMITS.loopDelayWindowMs) {
      this.#sinceMs = nowMs
      this.#beforeMs = longestMs
      this.#histogram.reset()
    }
    return Math.max(before, longestMs)
  }

  stop(): void {
    this.#histogram.disable()
  }
}
