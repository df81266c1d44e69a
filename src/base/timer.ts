/** How long a timer of Node is to wait for a time that somebody else has named. */
import { END_LIMITS } from './end-limits.ts'

/**
 * Milliseconds for `setTimeout`, which fires at once for what it cannot hold. A longer time becomes the longest, some 24
 * days: whoever waits for longer looks again, or is content with that.
 */
export function timerMs(ms: number): number {
  return ms >= 0 ? Math.min(ms, END_LIMITS.timerMsMax) : 0
}
