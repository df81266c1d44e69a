/**
 * Durations of the last ten minutes, counted in classes that grow: a slice for each minute, of which the oldest makes room.
 *
 *   class   0      1      2      …   last
 *   up to   1 ms   2 ms   5 ms   …   anything longer
 */

/** Milliseconds up to which a duration belongs to a class, with that end; what is longer is in one more class. */
export const CLASS_ENDS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000,
] as const

const SLICES = 10
const SLICE_MS = 60_000
const CLASSES = CLASS_ENDS_MS.length + 1

export class RollingTimes {
  /** By their place: the minute modulo the count of slices. */
  readonly #slices = new Map<number, { readonly minute: number; readonly counts: number[] }>()

  add(ms: number, nowMs: number): void {
    const { counts } = this.#slice(Math.floor(nowMs / SLICE_MS))
    const found = CLASS_ENDS_MS.findIndex(end => ms <= end)
    const at = found === -1 ? CLASSES - 1 : found
    counts[at] = (counts[at] ?? 0) + 1
  }

  /** How many there are in each class. */
  counts(nowMs: number): number[] {
    const oldest = Math.floor(nowMs / SLICE_MS) - SLICES
    const sums = new Array<number>(CLASSES).fill(0)
    for (const { minute, counts } of this.#slices.values())
      if (minute > oldest) for (const [at, count] of counts.entries()) sums[at] = (sums[at] ?? 0) + count
    return sums
  }

  #slice(minute: number): { readonly counts: number[] } {
    const at = minute % SLICES
    const known = this.#slices.get(at)
    if (known?.minute === minute) return known
    const fresh = { minute, counts: new Array<number>(CLASSES).fill(0) }
    this.#slices.set(at, fresh)
    return fresh
  }
}
