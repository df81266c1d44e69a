/** A duration that one thread tells and others read, without a message: in microseconds, as the last word on it. */
export type GaugeMemory = SharedArrayBuffer

const US_PER_MS = 1_000

export class SharedGauge {
  readonly memory: GaugeMemory
  readonly #words: BigInt64Array

  constructor(memory: GaugeMemory = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#words = new BigInt64Array(memory)
  }

  get ms(): number {
    return Number(Atomics.load(this.#words, 0)) / US_PER_MS
  }

  tell(ms: number): void {
    Atomics.store(this.#words, 0, BigInt(Math.round(ms * US_PER_MS)))
  }
}
