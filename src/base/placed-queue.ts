/**
 * A queue that knows the place of each entry. Entries that came one after another share a run, which counts them: a place in
 * a long queue is found by its runs.
 */
import { Queue, type QueueEntry, type QueueRun } from './queue.ts'

/** Entries of a run at the most: of ten thousand, some two hundred steps lead to any place. */
const RUN_ENTRIES = 64

export class PlacedQueue<T> extends Queue<T> {
  #firstRun: QueueRun<T> | null = null
  #lastRun: QueueRun<T> | null = null

  override add(value: T): QueueEntry<T> {
    const entry = super.add(value)
    this.#join(entry)
    return entry
  }

  override remove(entry: QueueEntry<T>): boolean {
    if (entry.run !== null) this.#leave(entry, entry.run)
    return super.remove(entry)
  }

  /** How many are before this one. */
  placeOf(entry: QueueEntry<T>): number {
    let place = 0
    for (let other = entry; other !== entry.run?.first && other.before !== null; other = other.before) place++
    for (let run = entry.run?.before ?? null; run !== null; run = run.before) place += run.size
    return place
  }

  /** The one that so many are before; null where there are not as many. */
  at(place: number): QueueEntry<T> | null {
    let left = place
    let run = place < 0 ? null : this.#firstRun
    for (; run !== null && left >= run.size; run = run.after) left -= run.size
    let entry = run?.first ?? null
    for (; entry !== null && left > 0; left--) entry = entry.after
    return entry
  }

  #join(entry: QueueEntry<T>): void {
    const last = this.#lastRun
    if (last !== null && last.came < RUN_ENTRIES) {
      last.size++
      last.came++
      entry.run = last
      return
    }
    const run: QueueRun<T> = { size: 1, came: 1, first: entry, before: last, after: null }
    if (last) last.after = run
    else this.#firstRun = run
    this.#lastRun = run
    entry.run = run
  }

  #leave(entry: QueueEntry<T>, run: QueueRun<T>): void {
    const { before, after } = run
    entry.run = null
    run.size--
    if (run.size > 0) {
      if (run.first === entry && entry.after !== null) run.first = entry.after
      return
    }
    if (before) before.after = after
    else this.#firstRun = after
    if (after) after.before = before
    else this.#lastRun = before
  }
}
