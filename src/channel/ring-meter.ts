/**
 * Counts the bytes that one side of a ring moves on another thread, by looks at the counter that it writes. The counter wraps at
 * its span, some 2 GiB: whoever looks once a second misses none.
 */
import { tailCounter } from './ring-end.ts'
import type { Words } from './words.ts'

export class RingMeter {
  readonly #words: Words
  readonly #word: number
  readonly #span: number
  #counter: number
  #total = 0

  /** Counts from here on. */
  constructor(words: Words, word: number, span: number) {
    this.#words = words
    this.#word = word
    this.#span = span
    this.#counter = this.#look()
  }

  /** Bytes so far, by a new look. */
  get total(): number {
    const counter = this.#look()
    const moved = counter - this.#counter
    this.#total += moved < 0 ? moved + this.#span : moved
    this.#counter = counter
    return this.#total
  }

  #look(): number {
    return tailCounter(this.#words.load(this.#word))
  }
}
