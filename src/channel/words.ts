/**
 * The control words of shared memory, behind the smallest interface that channels and doorbells need. The one
 * production implementation is Atomics on an Int32Array; a checker can stand in for it and stop a thread before each
 * step. Loads and stores are sequentially consistent; control words are never viewed at another width.
 */
export interface Words {
  load(word: number): number
  /**
   * As `load`, at a tenth of its cost and without an order: what is seen may be what stood there when the caller was called, and
   * says nothing of other words. For a word that is only asked whether it has changed for good.
   */
  glance(word: number): number
  store(word: number, value: number): void
  exchange(word: number, value: number): number
  or(word: number, bits: number): number
  /** Stores the value where the word holds `expected`; the value that it held. */
  compareExchange(word: number, expected: number, value: number): number
  /** Wakes whoever blocks or waits asynchronously on the word. */
  notify(word: number): void
  /** Blocks this thread while the word holds `value`. Never on a thread that serves an event loop. */
  wait(word: number, value: number, timeoutMs: number): void
  /** Resolves when the word is notified; null where it does not hold `value` any more. */
  waitAsync(word: number, value: number): Promise<unknown> | null
}

/** Int32 slots in one cache line of 64 bytes: words that different threads write never share a line. */
export const LINE_SLOTS = 16
export const LINE_BYTES = 64

const slotsOf = new WeakMap<SharedArrayBuffer, Int32Array<SharedArrayBuffer>>()

/** All words of a memory: one view, however many channels lie in it. */
export function wordsOf(memory: SharedArrayBuffer): Int32Array<SharedArrayBuffer> {
  const known = slotsOf.get(memory)
  if (known !== undefined) return known
  const bytes = Int32Array.BYTES_PER_ELEMENT
  const slots = new Int32Array(memory, 0, Math.floor(memory.byteLength / bytes))
  slotsOf.set(memory, slots)
  return slots
}

/** Words that lie `stride` slots apart in an Int32Array, from `base` on. */
export class SharedWords implements Words {
  readonly #slots: Int32Array<SharedArrayBuffer>
  readonly #base: number
  readonly #stride: number

  constructor(slots: Int32Array<SharedArrayBuffer>, base: number, stride: number) {
    this.#slots = slots
    this.#base = base
    this.#stride = stride
  }

  load(word: number): number {
    return Atomics.load(this.#slots, this.#base + word * this.#stride)
  }

  // Engines call a function for Atomics.load, and read an element in place.
  glance(word: number): number {
    return this.#slots[this.#base + word * this.#stride] ?? 0
  }

  store(word: number, value: number): void {
    Atomics.store(this.#slots, this.#base + word * this.#stride, value)
  }

  exchange(word: number, value: number): number {
    return Atomics.exchange(this.#slots, this.#base + word * this.#stride, value)
  }

  or(word: number, bits: number): number {
    return Atomics.or(this.#slots, this.#base + word * this.#stride, bits)
  }

  compareExchange(word: number, expected: number, value: number): number {
    return Atomics.compareExchange(this.#slots, this.#base + word * this.#stride, expected, value)
  }

  notify(word: number): void {
    Atomics.notify(this.#slots, this.#base + word * this.#stride)
  }

  wait(word: number, value: number, timeoutMs: number): void {
    Atomics.wait(this.#slots, this.#base + word * this.#stride, value, timeoutMs)
  }

  waitAsync(word: number, value: number): Promise<unknown> | null {
    const result = Atomics.waitAsync(this.#slots, this.#base + word * this.#stride, value)
    return result.async ? result.value : null
  }
}
