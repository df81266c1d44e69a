/** What collections of the calling thread have freed, for contenders that run in the bench's own process. */
import { GCProfiler } from 'node:v8'

/** Begins to count; the function that it returns gives the bytes freed since. */
export function beginGarbage(): () => number {
  const profiler = new GCProfiler()
  profiler.start()
  return () => {
    const collections = profiler.stop()?.statistics ?? []
    return collections.reduce(
      (sum, { beforeGC, afterGC }) =>
        sum + Math.max(0, beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize),
      0,
    )
  }
}
