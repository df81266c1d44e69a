import { ShortWord } from './short-word.ts'

/** Severities behind which the server closes the connection. */
const FATAL: ReadonlySet<string | null> = new Set(['FATAL', 'PANIC'])

const [S, V] = [0x53, 0x56]

/**
 * Looks for the severity among the fields of an ErrorResponse: each a letter and a text that ends with a zero byte. `V`
 * holds it in English; servers before 9.6 and some poolers send only `S`, of which no translation means another one.
 */
export class PostgresSeverity {
  /** The letter of the field; 0 between two. */
  #letter = 0
  readonly #word = new ShortWord()
  #isFatal = false

  begin(): void {
    this.#letter = 0
    this.#word.take()
    this.#isFatal = false
  }

  get isFatal(): boolean {
    return this.#isFatal
  }

  look(fields: Uint8Array): void {
    for (const byte of fields) {
      if (this.#letter === 0) this.#letter = byte
      else if (byte === 0) this.#endText()
      else if (this.#letter === S || this.#letter === V) this.#word.add(byte)
    }
  }

  #endText(): void {
    if (FATAL.has(this.#word.take())) this.#isFatal = true
    this.#letter = 0
  }
}
