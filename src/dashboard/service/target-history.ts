/** What the charts show of one target, or of all: figures of the last minutes, and durations. All of it is bounded. */
import { RollingTimes } from './rolling-times.ts'

/** Points of a chart: ten minutes, one every two seconds. */
const POINTS_MAX = 300
export const HISTORY_MS = 600_000
/** Milliseconds between two points at the least: rounds that follow an event come sooner. */
const POINT_GAP_MS = 1_900
/** Waits between two points of which the quantiles are taken: later ones take the place of earlier ones. */
const SAMPLES_MAX = 1_000

export type HistoryPoints = {
  /** Seconds since 1970. */
  readonly times: readonly number[]
  readonly waiters: readonly number[]
  readonly leased: readonly number[]
  /** Milliseconds; null where nobody got a lease. */
  readonly waitMedian: readonly (number | null)[]
  readonly waitHigh: readonly (number | null)[]
}

export class TargetHistory {
  readonly waits: RollingTimes = new RollingTimes()
  readonly holds: RollingTimes = new RollingTimes()
  readonly #times: number[] = []
  readonly #waiters: number[] = []
  readonly #leased: number[] = []
  readonly #waitMedian: (number | null)[] = []
  readonly #waitHigh: (number | null)[] = []
  #samples: number[] = []
  #sampled = 0

  /** Somebody got a lease after so long. */
  waited(ms: number, nowMs: number): void {
    this.waits.add(ms, nowMs)
    this.#samples[this.#sampled++ % SAMPLES_MAX] = ms
  }

  /** A lease has ended that lasted so long. */
  held(ms: number, nowMs: number): void {
    this.holds.add(ms, nowMs)
  }

  /** What a round of figures has found. */
  point({ waiters, leased }: { waiters: number; leased: number }, nowMs: number): void {
    const last = this.#times.at(-1) ?? 0
    if (nowMs - last * 1_000 < POINT_GAP_MS) return
    const sorted = this.#samples.toSorted((a, b) => a - b)
    this.#samples = []
    this.#sampled = 0
    this.#times.push(nowMs / 1_000)
    this.#waiters.push(waiters)
    this.#leased.push(leased)
    this.#waitMedian.push(quantile(sorted, 0.5))
    this.#waitHigh.push(quantile(sorted, 0.95))
    if (this.#times.length > POINTS_MAX) for (const list of this.#lists()) list.shift()
  }

  get points(): HistoryPoints {
    return {
      times: this.#times,
      waiters: this.#waiters,
      leased: this.#leased,
      waitMedian: this.#waitMedian,
      waitHigh: this.#waitHigh,
    }
  }

  #lists(): readonly (number | null)[][] {
    return [this.#times, this.#waiters, this.#leased, this.#waitMedian, this.#waitHigh]
  }
}

/** Null of nothing. */
export function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
}
