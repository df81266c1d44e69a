/** The most dials that a target may see while it is down. */
import { LIMITS } from '../../src/base/limits.ts'

/** A bound by chance may fail one run in so many. */
const RUNS = 1e9

/**
 * Rounds of dials that fail at once, within so many milliseconds and but for one run in a billion: after the k-th, from 0, nobody
 * dials for a time at random between 0 and `dialBackoffFirstMs` × 2^k, or `dialBackoffLastMs`, as src/pool/target/dial-backoff.ts
 * has it. The distribution of their sum is computed in cells of a millisecond, each time rounded down.
 */
export function roundsMax(withinMs: number): number {
  const cells = Math.ceil(withinMs) + 1
  let sums = new Float64Array(cells)
  sums[0] = 1
  for (let round = 0; ; round++) {
    const boundMs = Math.min(LIMITS.dialBackoffFirstMs * 2 ** round, LIMITS.dialBackoffLastMs)
    const next = new Float64Array(cells)
    let window = 0
    let total = 0
    for (let cell = 0; cell < cells; cell++) {
      window += sums[cell] ?? 0
      window -= sums[cell - boundMs] ?? 0
      next[cell] = Math.max(0, window) / boundMs
      total += next[cell] ?? 0
    }
    sums = next
    if (total < 1 / RUNS) return round + 1
  }
}

/** Of a target that refuses at once, without a breaker: each round has as many dials as may be under way. */
export function refusedDialsMax(withinMs: number, maxConnecting: number): number {
  return roundsMax(withinMs) * maxConnecting
}

/** Where each dial takes all of its time: so many side by side, one after another. */
export function hangingDialsMax(withinMs: number, maxConnecting: number, connectTimeoutMs: number): number {
  return maxConnecting * (Math.floor(withinMs / connectTimeoutMs) + 1)
}

/** With a breaker: the failures that open it and the dials beside the last of them, then one each time that it is over. */
export function brokenDialsMax(
  withinMs: number,
  maxConnecting: number,
  { failures, openForMs }: { readonly failures: number; readonly openForMs: number },
): number {
  return failures - 1 + maxConnecting + Math.floor(withinMs / openForMs)
}
