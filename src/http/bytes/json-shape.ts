/**
 * Bounds the shape of a JSON body while its bytes come in. What JSON.parse and the schema cost depends on how many values
 * there are, not on how long a text is; so a body of empty objects is refused at its first bytes, and a large text passes.
 * It is no parser: what it lets through may still be no JSON.
 */
import { LIMITS } from '../../base/limits.ts'
import { invalidField } from '../problems.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
/** An opening bracket and an opening brace differ in this bit alone, and so do the closing ones. */
const BRACE_BIT = 0x20
const OPENING = 0x7b
const CLOSING = 0x7d

/** Where the next byte stands. */
type Place = 'between' | 'text' | 'escape'

export class JsonShape {
  #place: Place = 'between'
  #depth = 0
  /** Lists, objects and fields. */
  #parts = 0
  #values = 0
  #bareBytes = 0

  /** Looks at the next bytes. Errors: INVALID_REQUEST at `body`, as soon as a bound is passed. */
  take(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length)
      at = this.#place === 'between' ? this.#passBare(bytes, at) : this.#passText(bytes, at)
    if (this.#depth > LIMITS.jsonDepthMax)
      throw tooMuch(`is nested deeper than ${LIMITS.jsonDepthMax} levels`)
    if (this.#parts > LIMITS.jsonPartsMax)
      throw tooMuch(`has more than ${LIMITS.jsonPartsMax} fields, lists and objects`)
    if (this.#values > LIMITS.jsonValuesMax) throw tooMuch(`lists more than ${LIMITS.jsonValuesMax} values`)
    if (this.#bareBytes > LIMITS.jsonBareBytesMax)
      throw tooMuch(`has more than ${LIMITS.jsonBareBytesMax} bytes outside of its texts`)
  }

  /** Passes what stands between two texts; the index after it. */
  #passBare(bytes: Uint8Array, from: number): number {
    let at = from
    for (; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (byte === QUOTE) break
      if (byte === COMMA) this.#values++
      else if (byte === COLON) this.#parts++
      else if ((byte | BRACE_BIT) === OPENING) this.#open()
      else if ((byte | BRACE_BIT) === CLOSING) this.#depth--
    }
    this.#bareBytes += at - from
    if (at === bytes.length) return at
    this.#bareBytes++
    this.#place = 'text'
    return at + 1
  }

  /** A depth that was passed once stays passed, whatever closes later in the same chunk. */
  #open(): void {
    this.#parts++
    this.#depth++
    if (this.#depth > LIMITS.jsonDepthMax) this.#depth = Number.POSITIVE_INFINITY
  }

  /** Passes the rest of a text; the index after it, or after the bytes. */
  #passText(bytes: Uint8Array, from: number): number {
    let isEscaped = this.#place === 'escape'
    for (let at = from; at < bytes.length; at++) {
      if (isEscaped) {
        isEscaped = false
        continue
      }
      const byte = bytes[at]
      if (byte === BACKSLASH) isEscaped = true
      else if (byte === QUOTE) {
        this.#place = 'between'
        return at + 1
      }
    }
    this.#place = isEscaped ? 'escape' : 'text'
    return bytes.length
  }
}

function tooMuch(message: string): Error {
  return invalidField('body', `${message}; no route needs as much`)
}
