/**
 * The buckets into which durations are counted: an exchange on this machine takes a tenth of a millisecond, a wait that
 * somebody will still complain about half a minute. One set for all, so that panels compare them.
 */

/** Upper bounds, in seconds. What takes longer is in a last bucket without one. */
export const DURATION_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/** The bounded ones, and the last. */
export const DURATION_BUCKETS: number = DURATION_BOUNDS.length + 1

const BOUNDS_MS = Float64Array.from(DURATION_BOUNDS, seconds => seconds * 1_000)

/** Which bucket a duration is in, from 0. */
export function durationBucket(ms: number): number {
  let bucket = 0
  // From the front: what happens often is short.
  while (bucket < BOUNDS_MS.length && ms > (BOUNDS_MS[bucket] ?? 0)) bucket++
  return bucket
}
