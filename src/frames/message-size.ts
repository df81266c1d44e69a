import { LimitOverrunError } from '../base/errors.ts'
import type { Message } from './frame.ts'

/**
 * Counts the bytes of one message after the other, and holds each to the bound of its frame. Where the bytes are cut into
 * pieces changes nothing: the byte behind the bound is the first that is too much.
 */
export class MessageSize {
  readonly #frame: string
  readonly #max: number
  /** Bytes of the message in the pieces before. */
  #length = 0

  constructor(frame: string, max: number) {
    this.#frame = frame
    this.#max = max
  }

  /** Whether no byte of the message has come. */
  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Errors: LIMIT_OVERRUN, and those of `endOf`, which answers the index behind the message, or -1 while it goes on. */
  cut(bytes: Uint8Array, endOf: (bytes: Uint8Array) => number): Message | null {
    const room = this.#max - this.#length
    const seen = bytes.length > room ? bytes.subarray(0, room) : bytes
    const taken = endOf(seen)
    if (taken !== -1) return this.#whole(taken)
    if (seen.length < bytes.length) throw this.#overrun(this.#max)
    this.#length += bytes.length
    return null
  }

  /** The message says that so many bytes follow the first `at` of the piece. Errors: LIMIT_OVERRUN. */
  announce(at: number, following: number): void {
    const length = this.#length + at
    if (length + following > this.#max) throw this.#overrun(length)
  }

  /** The message that ends with the stream. */
  end(): Message {
    return this.#whole(0)
  }

  #whole(taken: number): Message {
    const length = this.#length + taken
    this.#length = 0
    return { taken, length }
  }

  #overrun(consumed: number): LimitOverrunError {
    return new LimitOverrunError(`the message of ${this.#frame} is longer than ${this.#max} bytes`, consumed)
  }
}
