/**
 * One word of shared memory that exactly one of two threads can take: who hands out a task may take it back for as
 * long as nobody has begun it. Without it a task that is called off while its thread still starts would count as
 * begun, and what was lent to it as lost.
 */
import { SharedWords } from './words.ts'

const TAKEN = 0

export class Claim {
  /** What the other thread makes its own `Claim` of. */
  readonly memory: SharedArrayBuffer
  readonly #words: SharedWords

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#words = new SharedWords(new Int32Array(memory), 0, 1)
  }

  /** True for the first call on either side, false ever after. */
  take(): boolean {
    return this.#words.exchange(TAKEN, 1) === 0
  }
}
