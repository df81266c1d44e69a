/** Bytes of the longest word that is told from others, `transfer-encoding`, and as many again. */
const BYTES_MAX = 32

/** A word of the bytes, kept as long as it can still be one of those that are known. */
export class ShortWord {
  readonly #bytes = Buffer.alloc(BYTES_MAX)
  #length = 0
  #isLong = false

  add(byte: number): void {
    const isBlank = byte === 0x20 || byte === 0x09
    if (isBlank && this.#length === 0) return
    if (this.#length < BYTES_MAX) this.#bytes[this.#length++] = byte
    else if (!isBlank) this.#isLong = true
  }

  /** The word without blanks around it, and room for the next one; null: it was longer than any that is known. */
  take(): string | null {
    const word = this.#isLong ? null : this.#bytes.toString('latin1', 0, this.#length).trimEnd()
    this.#length = 0
    this.#isLong = false
    return word
  }
}
