/**
 * First in, first out, and leaving from the middle costs nothing.
 *
 * A Set would do, but for the garbage collector: each time a Set or Map that is added to and deleted from outgrows its
 * table, the old table keeps its entries and points to the new one. Once such a table has survived a collection of old
 * objects, all that ever passed through is kept until the next. An entry that leaves here points to nobody.
 */

/** Entries that came one after another, where a PlacedQueue counts them. */
export type QueueRun<T> = {
  size: number
  /** Entries that have come to it, those that have left too. */
  came: number
  first: QueueEntry<T>
  before: QueueRun<T> | null
  after: QueueRun<T> | null
}

export class QueueEntry<T> {
  readonly value: T
  before: QueueEntry<T> | null = null
  after: QueueEntry<T> | null = null
  run: QueueRun<T> | null = null
  /** False once it has left. */
  isQueued = true

  constructor(value: T) {
    this.value = value
  }
}

export class Queue<T> {
  #first: QueueEntry<T> | null = null
  #last: QueueEntry<T> | null = null
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
    return entry
  }

  /** False where the entry has left before. */
  remove(entry: QueueEntry<T>): boolean {
    const { before, after, isQueued } = entry
    if (!isQueued) return false
    if (before) before.after = after
    else this.#first = after
    if (after) after.before = before
    else this.#last = before
    entry.isQueued = false
    entry.before = null
    entry.after = null
    this.#size--
    return true
  }

  /** In order. The entry that was given last may leave meanwhile. */
  *[Symbol.iterator](): Generator<QueueEntry<T>, void, undefined> {
    for (let entry = this.#first; entry !== null; ) {
      const { after } = entry
      yield entry
      entry = after
    }
  }
}
