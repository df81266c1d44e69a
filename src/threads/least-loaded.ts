/** The I/O worker that has the least to do, as it is measured; null where none runs. */
import type { IoThread } from './io-thread.ts'

export function leastLoaded(
  threads: Iterable<IoThread | null>,
  loadOf: (thread: IoThread) => number,
): IoThread | null {
  let least: IoThread | null = null
  for (const thread of threads)
    if (thread && loadOf(thread) < (least === null ? Infinity : loadOf(least))) least = thread
  return least
}
