/** A word that comes in pieces. Only a short one is kept: a longer one is no word of a protocol, but a key or a value. */
import { LIMITS } from '../base/limits.ts'

export class WordBytes {
  readonly #bytes = Buffer.alloc(LIMITS.frameWordBytesMax)
  #length = 0
  /** What was taken last, and its bytes: mostly a command is the one before again, and is not made a text of anew. */
  readonly #lastBytes = Buffer.alloc(LIMITS.frameWordBytesMax)
  #lastText = ''

  /** Bytes that it has so far. */
  get length(): number {
    return this.#length
  }

  add(bytes: Uint8Array, from: number, to: number): void {
    const room = Math.min(to, from + this.#bytes.length - this.#length)
    for (let index = from, at = this.#length; index < room; index++, at++) this.#bytes[at] = bytes[index] ?? 0
    this.#length += to - from
  }

  /** Its text as latin1, a character a byte, or null where it is longer than a word; the next one begins. */
  take(): string | null {
    const length = this.#length
    this.#length = 0
    if (length > this.#bytes.length) return null
    if (!this.#isLast(length)) {
      this.#bytes.copy(this.#lastBytes, 0, 0, length)
      this.#lastText = this.#bytes.toString('latin1', 0, length)
    }
    return this.#lastText
  }

  #isLast(length: number): boolean {
    if (length !== this.#lastText.length) return false
    for (let index = 0; index < length; index++)
      if (this.#bytes[index] !== this.#lastBytes[index]) return false
    return true
  }
}
