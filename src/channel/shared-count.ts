/** A count that several threads see and change. */
export type CountMemory = SharedArrayBuffer

export class SharedCount {
  readonly memory: CountMemory
  readonly #words: BigInt64Array

  constructor(memory: CountMemory = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#words = new BigInt64Array(memory)
  }

  get value(): number {
    return Number(Atomics.load(this.#words, 0))
  }

  add(more: number): void {
    Atomics.add(this.#words, 0, BigInt(more))
  }
}
