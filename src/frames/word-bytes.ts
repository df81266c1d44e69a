/** A word that comes in pieces. Only a short one is kept: a longer one is no word of a protocol, but a key or a value. */
import { LIMITS } from '../base/limits.ts'

export class WordBytes {
  readonly #bytes = Buffer.alloc(LIMITS.frameWordBytesMax)
  #length = 0

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
    return length > this.#bytes.length ? null : this.#bytes.toString('latin1', 0, length)
  }
}
