/**
 * A second look at a whole JSON text that the scanner has passed: its white space, its numbers and its keys. The
 * grammar is right, so that a few bytes tell what stands where.
 *
 * Keys that would reach a prototype in the program that reads the value are refused here, for values and for text alike:
 * `__proto__`, and `prototype` in the object of a `constructor`. Where it is asked for, a key that its object has already is too.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { JsonOptions } from './json-options.ts'
import { isBlank } from './json-scanner.ts'
import { markLength } from './utf8-text.ts'

/** What of the text is of interest; the places are byte offsets, `to` is behind the last byte. */
export type JsonVisitor = {
  /** White space between tokens. */
  blank?(from: number, to: number): void
  number?(from: number, to: number): void
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/** Errors: PARSE_FAILED with the offset of a forbidden key, and the visitor's own. */
export function walkJson(text: Buffer, visitor: JsonVisitor, duplicates: JsonOptions['duplicates']): void {
  const keys = new KeyWatch(text, duplicates === 'error')
  let index = markLength(text)
  while (index < text.length) {
    const byte = text[index] ?? 0
    const from = index
    if (byte === QUOTE) {
      index = stringEnd(text, from)
      if (text[blanksEnd(text, index)] === COLON) keys.key(from + 1, index - 1)
    } else if (isBlank(byte)) {
      index = blanksEnd(text, from)
      visitor.blank?.(from, index)
    } else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) {
      index = numberEnd(text, from)
      visitor.number?.(from, index)
    } else {
      keys.sign(byte)
      index += 1
    }
  }
}

/** Follows the brackets, to know whose keys it is shown. */
class KeyWatch {
  readonly #text: Buffer
  /** For each open bracket, whether it holds the value of a key `constructor`. */
  readonly #isConstructor = new Uint8Array(LIMITS.parseDepthMax + 1)
  /** For each open bracket, the keys that its object has so far; null where nobody asks. */
  readonly #known: (Set<string> | undefined)[] | null
  #depth = 0
  #afterConstructor = false

  constructor(text: Buffer, isUnique: boolean) {
    this.#text = text
    this.#known = isUnique ? [] : null
  }

  key(from: number, to: number): void {
    const name = this.#nameOf(from, to)
    if (name === '__proto__' || (name === 'prototype' && this.#isConstructor[this.#depth] === 1))
      throw new SockpoolError('PARSE_FAILED', 'the JSON text holds a forbidden prototype property', {
        offset: from - 1,
      })
    if (this.#known !== null) this.#note(this.#known, from, to)
    this.#afterConstructor = name === 'constructor'
  }

  /** A bracket, a comma, a colon, or a letter of a literal. */
  sign(byte: number): void {
    if (byte === 0x7b || byte === 0x5b) {
      this.#depth += 1
      this.#isConstructor[this.#depth] = this.#afterConstructor && byte === 0x7b ? 1 : 0
      this.#afterConstructor = false
      if (this.#known !== null) this.#known[this.#depth] = undefined
    } else if (byte === 0x7d || byte === 0x5d) this.#depth -= 1
    else if (byte === 0x2c) this.#afterConstructor = false
  }

  #note(known: (Set<string> | undefined)[], from: number, to: number): void {
    const keys = known[this.#depth] ?? new Set<string>()
    known[this.#depth] = keys
    const name = JSON.parse(this.#text.toString('utf8', from - 1, to + 1)) as string
    if (keys.has(name))
      throw new SockpoolError('PARSE_FAILED', 'an object in the JSON text has the same key twice', {
        offset: from - 1,
      })
    keys.add(name)
  }

  /** The key, where it may be one that is forbidden. */
  #nameOf(from: number, to: number): string | null {
    const text = this.#text
    const escapeAt = text.subarray(from, to).indexOf(BACKSLASH)
    if (escapeAt !== -1) return JSON.parse(text.toString('utf8', from - 1, to + 1)) as string
    const length = to - from
    return length === 9 || length === 11 ? text.toString('latin1', from, to) : null
  }
}

/** Behind the closing quote of the string that begins at `from`. */
function stringEnd(text: Buffer, from: number): number {
  let index = from + 1
  while (index < text.length && text[index] !== QUOTE) index += text[index] === BACKSLASH ? 2 : 1
  return index + 1
}

function blanksEnd(text: Buffer, from: number): number {
  let index = from
  while (index < text.length && isBlank(text[index] ?? 0)) index += 1
  return index
}

/** Digits, point, signs, e and E: nothing else follows within a number. */
function numberEnd(text: Buffer, from: number): number {
  let index = from + 1
  for (; index < text.length; index++) {
    const byte = text[index] ?? 0
    const isDigit = byte >= 0x30 && byte <= 0x39
    if (!isDigit && byte !== 0x2e && byte !== 0x2b && byte !== 0x2d && (byte | 0x20) !== 0x65) break
  }
  return index
}
