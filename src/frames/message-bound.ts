/**
 * The length of the message in progress, against its bound: nothing beyond `max` is looked at, and what a message announces
 * counts as soon as it does.
 */
import { LimitOverrunError } from '../base/errors.ts'
import type { Message } from './frame.ts'

export class MessageBound {
  readonly #max: number
  /** Bytes of the message in the pieces before this one. */
  #before = 0

  constructor(max: number) {
    this.#max = max
  }

  get isBetween(): boolean {
    return this.#before === 0
  }

  /** How many bytes of this piece the message can have. */
  reach(bytes: Uint8Array): number {
    return Math.min(bytes.length, this.#max - this.#before)
  }

  /** The message has `more` bytes at the least behind the first `seen` ones of this piece. Errors: LIMIT_OVERRUN. */
  expect(seen: number, more: number): void {
    if (this.#before + seen + more > this.#max) throw this.#overrun(this.#before + seen)
  }

  /** `taken`: how many bytes of this piece end the message, or -1 where all in reach go on with it. Errors: LIMIT_OVERRUN. */
  settle(bytes: Uint8Array, taken: number): Message | null {
    if (taken !== -1) {
      const length = this.#before + taken
      this.#before = 0
      return { taken, length }
    }
    if (this.#before + bytes.length > this.#max) throw this.#overrun(this.#max)
    this.#before += bytes.length
    return null
  }

  #overrun(consumed: number): LimitOverrunError {
    return new LimitOverrunError(`the message is longer than ${this.#max} bytes`, consumed)
  }
}
