/**
 * Reads one RESP value that the frame has passed: its grammar, its depth and the lengths that it announces are right, so
 * that a line's end is its next `\n`. No memory is taken for what a count says, but for what is there.
 */
import { SockpoolError } from '../../base/errors.ts'
import { type ByteForm, byteValue } from './byte-values.ts'
import { ElementCount } from './element-count.ts'
import { type Pair, recordOf } from './records.ts'
import { type WholeForm, wholeNumber } from './whole-numbers.ts'

export type RespForms = {
  readonly bytes: ByteForm
  readonly whole: WholeForm
  /** Whether attributes become part of the value. */
  readonly keepsAttributes: boolean
}

const [CR_LF_BYTES, FORMAT_BYTES] = [2, 4]
const LF = 0x0a
const STREAM_END = 0x2e

/** How RESP writes numbers that are none of JSON's. */
const NAMED_DOUBLES: ReadonlyMap<string, number> = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
  ['+nan', Number.NaN],
  ['-nan', Number.NaN],
])

export class RespReader {
  readonly #message: Buffer
  readonly #forms: RespForms
  readonly #elements = new ElementCount()
  #at = 0

  constructor(message: Buffer, forms: RespForms) {
    this.#message = message
    this.#forms = forms
  }

  /** The value that begins with the next byte. Errors: PARSE_FAILED, PARSE_LIMIT. */
  value(): unknown {
    const attributes: Pair[] = []
    const from = this.#at
    while (this.#message[this.#at] === 0x7c) {
      const count = this.#count()
      for (const pair of this.#pairs(count)) attributes.push(pair)
    }
    const value = this.#plainValue()
    if (!this.#forms.keepsAttributes || attributes.length === 0) return value
    return { attributes: recordOf(attributes, from), value }
  }

  #plainValue(): unknown {
    const from = this.#at
    this.#elements.add(1, from)
    const { type, from: start, to } = this.#line()
    const text = (): string => this.#message.toString('latin1', start, to)
    const bytes = (): Buffer => this.#message.subarray(start, to)
    switch (type) {
      case '+':
        return byteValue(bytes(), this.#forms.bytes)
      case '-':
        return { error: byteValue(bytes(), 'utf8') }
      case ':':
      case '(':
        return wholeNumber(text(), this.#forms.whole)
      case ',':
        return doubleOf(text(), from)
      case '#':
        return this.#message[start] === 0x74
      case '_':
        return null
      case '$':
      case '!':
      case '=':
        return this.#string(type, text())
      default:
        return this.#aggregate(type, text(), from)
    }
  }

  #string(type: string, announced: string): unknown {
    if (announced === '-1') return null
    const body = announced === '?' ? this.#streamedString() : this.#body(Number(announced))
    if (type === '!') return { error: byteValue(body, 'utf8') }
    return byteValue(type === '=' ? body.subarray(FORMAT_BYTES) : body, this.#forms.bytes)
  }

  #aggregate(type: string, announced: string, from: number): unknown {
    if (announced === '-1') return null
    const count = announced === '?' ? Number.POSITIVE_INFINITY : Number(announced)
    if (type === '%') return recordOf(this.#pairs(count), from)
    const values: unknown[] = []
    while (values.length < count && !this.#endsStream(count)) values.push(this.value())
    return type === '>' ? { push: values } : values
  }

  #pairs(count: number): Pair[] {
    const pairs: Pair[] = []
    while (pairs.length < count && !this.#endsStream(count)) pairs.push([this.value(), this.value()])
    return pairs
  }

  /** Passes the end of an aggregate that announced no count. */
  #endsStream(count: number): boolean {
    if (count !== Number.POSITIVE_INFINITY || this.#message[this.#at] !== STREAM_END) return false
    this.#line()
    return true
  }

  #streamedString(): Buffer {
    const parts: Buffer[] = []
    for (;;) {
      const from = this.#at
      this.#elements.add(1, from)
      const length = this.#count()
      if (length === 0) return Buffer.concat(parts)
      parts.push(this.#body(length))
    }
  }

  #body(length: number): Buffer {
    const from = this.#at
    this.#at = from + length + CR_LF_BYTES
    return this.#message.subarray(from, from + length)
  }

  /** The length or count that the next line announces. */
  #count(): number {
    const { from, to } = this.#line()
    return Number(this.#message.toString('latin1', from, to))
  }

  /** The next line: its first byte, and where the bytes behind it are. */
  #line(): { readonly type: string; readonly from: number; readonly to: number } {
    const from = this.#at
    const end = this.#message.indexOf(LF, from)
    this.#at = end + 1
    return { type: String.fromCharCode(this.#message[from] ?? 0), from: from + 1, to: end - 1 }
  }
}

/** Errors: PARSE_FAILED for a number that no double holds, as it would become an infinite one. */
function doubleOf(text: string, offset: number): number {
  const named = NAMED_DOUBLES.get(text)
  if (named !== undefined) return named
  const number = Number(text)
  if (Number.isFinite(number)) return number
  throw new SockpoolError('PARSE_FAILED', 'a number is larger than any double', { offset })
}
