/**
 * The bytes that a reader took last, so that a read whose answer was lost can be done again. They lie in a ring of this
 * thread's memory, which grows with them: a lease of small questions and answers costs a few KiB.
 *
 *   … forgotten │ the last `length` bytes, `capacity` at the most │ next read
 */
import { invariant } from '../base/errors.ts'

/** The first memory that is taken. */
const FIRST_BYTES = 1_024

const NOTHING: Buffer = Buffer.alloc(0)

export class ReplayWindow {
  /** Bytes. */
  readonly capacity: number
  #memory: Buffer = NOTHING
  /** Where the oldest byte lies. */
  #start = 0
  #length = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Bytes that can be read again. */
  get length(): number {
    return this.#length
  }

  /** Bytes of memory that it holds. */
  get memoryBytes(): number {
    return this.#memory.length
  }

  /** The reader took these bytes: keeps a copy, and forgets the oldest where there are too many. */
  keep(bytes: Uint8Array): void {
    const { capacity } = this
    const kept = bytes.length > capacity ? bytes.subarray(bytes.length - capacity) : bytes
    if (kept.length === 0) return
    if (kept.length === capacity) this.#length = 0
    this.#growTo(Math.min(capacity, this.#length + kept.length))
    this.#forget(Math.max(0, this.#length + kept.length - this.#memory.length))
    const at = (this.#start + this.#length) % this.#memory.length
    const first = Math.min(kept.length, this.#memory.length - at)
    this.#memory.set(kept.subarray(0, first), at)
    this.#memory.set(kept.subarray(first), 0)
    this.#length += kept.length
  }

  /** The reader put back so many bytes, or others in their place: they are still to be read. */
  retract(count: number): void {
    this.#length -= Math.min(count, this.#length)
  }

  /** A copy of the last `count` (≤ length) bytes, with memory of its own. */
  last(count: number): Buffer {
    invariant(count <= this.#length, `${count} bytes are asked for again, and ${this.#length} are kept`)
    const copy = Buffer.allocUnsafeSlow(count)
    if (count === 0) return copy
    const at = (this.#start + this.#length - count) % this.#memory.length
    const first = Math.min(count, this.#memory.length - at)
    this.#memory.copy(copy, 0, at, at + first)
    this.#memory.copy(copy, first, 0, count - first)
    return copy
  }

  /** Forgets all, and gives its memory back. */
  clear(): void {
    this.#memory = NOTHING
    this.#start = 0
    this.#length = 0
  }

  #forget(count: number): void {
    if (count === 0) return
    this.#start = (this.#start + count) % this.#memory.length
    this.#length -= count
  }

  #growTo(count: number): void {
    const had = this.#memory.length
    if (count <= had) return
    const size = Math.min(this.capacity, Math.max(FIRST_BYTES, 2 * had, count))
    const grown = Buffer.allocUnsafeSlow(size)
    this.last(this.#length).copy(grown)
    this.#memory = grown
    this.#start = 0
  }
}
