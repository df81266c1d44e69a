/**
 * First in, first out, and leaving from the middle costs nothing.
 *
 * A Set would do, but for the garbage collector: each time a Set or Map that is added to and deleted from outgrows its
 * table, the old table keeps its entries and points to the new one. Once such a table has survived a collection of old
 * objects, all that ever passed through is kept until the next. An entry that leaves here points to nobody.
 *
 * Entries that came one after another share a run, which counts them: a place in a long queue is found by its runs.
 */

/** Entries of a run at the most: of ten thousand, some two hundred steps lead to any place. */
const RUN_ENTRIES = 64

type Run<T> = {
  size: number
  /** Entries that have come to it, those that have left too. */
  came: number
  first: QueueEntry<T>
  before: Run<T> | null
  after: Run<T> | null
}

export class QueueEntry<T> {
  readonly value: T
  before: QueueEntry<T> | null = null
  after: QueueEntry<T> | null = null
  /** Null once it has left. */
  run: Run<T> | null = null

  constructor(value: T) {
    this.value = value
  }

  get isQueued(): boolean {
    return this.run !== null
  }
}

export class Queue<T> {
  #first: QueueEntry<T> | null = null
  #last: QueueEntry<T> | null = null
  #firstRun: Run<T> | null = null
  #lastRun: Run<T> | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): QueueEntry<T> | null {
    return this.#first
  }

  get last(): QueueEntry<T> | null {
    return this.#last
  }

  add(value: T): QueueEntry<T> {
    const entry = new QueueEntry(value)
    entry.before = this.#last
    if (this.#last) this.#last.after = entry
    else this.#first = entry
    this.#last = entry
    this.#size++
    this.#join(entry)
    return entry
  }

  /** False where the entry has left before. */
  remove(entry: QueueEntry<T>): boolean {
    const { before, after, run } = entry
    if (run === null) return false
    this.#leave(entry, run)
    if (before) before.after = after
    else this.#first = after
    if (after) after.before = before
    else this.#last = before
    entry.before = null
    entry.after = null
    this.#size--
    return true
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

  /** In order. The entry that was given last may leave meanwhile. */
  *[Symbol.iterator](): Generator<QueueEntry<T>, void, undefined> {
    for (let entry = this.#first; entry !== null; ) {
      const { after } = entry
      yield entry
      entry = after
    }
  }

  #join(entry: QueueEntry<T>): void {
    const last = this.#lastRun
    if (last !== null && last.came < RUN_ENTRIES) {
      last.size++
      last.came++
      entry.run = last
      return
    }
    const run: Run<T> = { size: 1, came: 1, first: entry, before: last, after: null }
    if (last) last.after = run
    else this.#firstRun = run
    this.#lastRun = run
    entry.run = run
  }

  #leave(entry: QueueEntry<T>, run: Run<T>): void {
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
