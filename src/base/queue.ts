/**
 * First in, first out, and leaving from the middle costs nothing.
 *
 * A Set would do, but for the garbage collector: each time a Set or Map that is added to and deleted from outgrows its
 * table, the old table keeps its entries and points to the new one. Once such a table has survived a collection of old
 * objects, all that ever passed through is kept until the next. An entry that leaves here points to nobody.
 */
export class QueueEntry<T> {
  readonly value: T
  before: QueueEntry<T> | null = null
  after: QueueEntry<T> | null = null
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
    if (!entry.isQueued) return false
    const { before, after } = entry
    if (before) before.after = after
    else this.#first = after
    if (after) after.before = before
    else this.#last = before
    entry.before = null
    entry.after = null
    entry.isQueued = false
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
