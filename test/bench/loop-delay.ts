/** The 99th percentile of the main thread's event loop delay over a stretch, in milliseconds. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

const SAMPLE_MS = 2

/** Begins a stretch; the function that it returns ends it. */
export function beginDelay(): () => number {
  const delays = monitorEventLoopDelay({ resolution: SAMPLE_MS })
  delays.enable()
  return () => {
    delays.disable()
    // A sample is the time between two ticks.
    return Math.max(0, delays.percentile(99) / 1e6 - SAMPLE_MS)
  }
}
