/**
 * How far a parse is, for a thread that looks while another one works: bytes of the input that have become values, and
 * values. Whoever works stores now and then; whoever looks may see the two of different moments.
 */
export type ProgressMemory = SharedArrayBuffer

const BYTES = 0
const VALUES = 1
const WORDS = 2

export class ParseProgress {
  readonly memory: ProgressMemory
  readonly #words: BigInt64Array

  constructor(memory: ProgressMemory = new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#words = new BigInt64Array(memory)
  }

  note(bytes: number, values: number): void {
    Atomics.store(this.#words, BYTES, BigInt(bytes))
    Atomics.store(this.#words, VALUES, BigInt(values))
  }

  get bytes(): number {
    return Number(Atomics.load(this.#words, BYTES))
  }

  get values(): number {
    return Number(Atomics.load(this.#words, VALUES))
  }
}
