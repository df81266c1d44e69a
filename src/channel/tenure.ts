/**
 * What an end of a channel was made for, and whether that still stands. Channels serve one connection after another,
 * and a connection one lease after another; an end outlives neither. So each end carries the value that one word
 * had when it was made, and the word has another value for ever once its time is over:
 *
 *   a holder's end        the epoch of its lease
 *   an I/O worker's end   the generation of its connection
 *
 * It is the value that is compared, never its parity: the next lease has the parity of the last.
 *
 * An end compares first and writes next, and its time may end between the two. So this alone promises that a call
 * which begins after the end writes nothing, and that bytes which were looked at before the comparison are the
 * end's own. A call that had begun may still write. Hence a channel is handed to nobody else before every end that was
 * made for it is known to be detached.
 */
import type { Words } from './words.ts'

export interface Tenure {
  /** False for ever once it is over; whether it was when the call began that asks. */
  readonly holds: boolean
  /** As `holds`, by a look that comes after all that this thread has stored: for who must see the other, or be seen. */
  readonly stillHolds: boolean
}

export class WordTenure implements Tenure {
  readonly #words: Words
  readonly #word: number
  readonly #value: number

  constructor(words: Words, word: number, value: number) {
    this.#words = words
    this.#word = word
    this.#value = value
  }

  get holds(): boolean {
    return this.#words.glance(this.#word) === this.#value
  }

  get stillHolds(): boolean {
    return this.#words.load(this.#word) === this.#value
  }
}

/** For a ring that serves nobody but its two ends. */
export const ENDLESS: Tenure = { holds: true, stillHolds: true }
