/**
 * Finds the end of one JSON text (RFC 8259) byte by byte, in constant memory: it holds its state, a stack of open
 * brackets and counts, never the bytes. It accepts the whole grammar and nothing else, so that a peer that talks
 * another language is told apart at its first wrong byte, and it keeps the bounds while the bytes arrive,
 * before anything is allocated for them. Bytes beyond ASCII occur in strings only; whether they are UTF-8 is for the
 * decoder to say.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Cutter, CutterState } from './format.ts'
import { isWholeNumber, NUMBER, type NumberState, nextOfNumber } from './json-number.ts'
import { BYTE_ORDER_MARK } from './utf8-text.ts'

export type JsonBounds = {
  /** Open brackets at once. */
  readonly depthMax: number
  /** Values of every kind, at every depth. */
  readonly elementsMax: number
  /** Bytes between the quotes of one string or key, as they are written. */
  readonly stringBytesMax: number
}

/** For what becomes a value. */
export const VALUE_BOUNDS: JsonBounds = {
  depthMax: LIMITS.parseDepthMax,
  elementsMax: LIMITS.parseElementsMax,
  stringBytesMax: LIMITS.parseStringBytesMax,
}

/** For what stays text: a value costs no memory there, so that the bound on the input is the only one on their number. */
export const TEXT_BOUNDS: JsonBounds = { ...VALUE_BOUNDS, elementsMax: Number.POSITIVE_INFINITY }

/** What may come next. */
const STATE = {
  value: 0,
  firstElement: 1,
  firstKey: 2,
  key: 3,
  colon: 4,
  afterValue: 5,
  string: 6,
  escape: 7,
  hex: 8,
  literal: 9,
  number: 10,
  /** Within the byte order mark that may stand before a text. */
  mark: 11,
} as const

type State = (typeof STATE)[keyof typeof STATE]

const [ARRAY, OBJECT] = [0, 1]
const QUOTE = 0x22
const BACKSLASH = 0x5c
const ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'))
const NO_LITERAL: Buffer = Buffer.alloc(0)
const LITERALS: ReadonlyMap<number, Buffer> = new Map(
  ['true', 'false', 'null'].map(word => [word.charCodeAt(0), Buffer.from(word)]),
)

export class JsonScanner implements Cutter {
  readonly #bounds: JsonBounds
  readonly #brackets: Uint8Array
  #state: State = STATE.value
  #depth = 0
  #elements = 0
  #seen = 0
  /** The string in progress is a key. */
  #isKey = false
  #stringBytes = 0
  #hexLeft = 0
  #literal: Buffer = NO_LITERAL
  #literalSeen = 0
  #number: NumberState = NUMBER.start

  /** `saved`: what another scanner of these bounds has seen of the text. */
  constructor(bounds: JsonBounds = VALUE_BOUNDS, saved?: CutterState) {
    this.#bounds = bounds
    this.#brackets = new Uint8Array(bounds.depthMax)
    if (saved) this.#restore(saved)
  }

  push(chunk: Uint8Array): number {
    const start = this.#seen
    let index = 0
    while (index < chunk.length) {
      if (this.#state === STATE.string) index = this.#skipRun(chunk, index, start)
      if (index === chunk.length) break
      this.#seen = start + index
      const length = this.#step(chunk[index] ?? 0)
      if (length > 0) return length
      index += 1
    }
    this.#seen = start + chunk.length
    return 0
  }

  finish(): number | 'none' | 'partial' {
    if (this.#state === STATE.mark) return 'partial'
    if (this.#elements === 0) return 'none'
    const whole = this.#depth === 0 && this.#state === STATE.number && isWholeNumber(this.#number)
    return whole ? this.#seen : 'partial'
  }

  save(): CutterState {
    return {
      brackets: this.#brackets,
      state: this.#state,
      depth: this.#depth,
      elements: this.#elements,
      seen: this.#seen,
      isKey: this.#isKey,
      stringBytes: this.#stringBytes,
      hexLeft: this.#hexLeft,
      literal: this.#literal[0] ?? 0,
      literalSeen: this.#literalSeen,
      number: this.#number,
    }
  }

  #restore(saved: CutterState): void {
    const word = (name: string): number => Number(saved[name])
    this.#brackets.set(saved['brackets'] as Uint8Array)
    this.#state = word('state') as State
    this.#depth = word('depth')
    this.#elements = word('elements')
    this.#seen = word('seen')
    this.#isKey = saved['isKey'] === true
    this.#stringBytes = word('stringBytes')
    this.#hexLeft = word('hexLeft')
    this.#literal = LITERALS.get(word('literal')) ?? NO_LITERAL
    this.#literalSeen = word('literalSeen')
    this.#number = word('number') as NumberState
  }

  /** Passes what is plain in a string; nearly all bytes of a large text go through this loop. */
  #skipRun(chunk: Uint8Array, from: number, start: number): number {
    let index = from
    while (index < chunk.length) {
      const byte = chunk[index] ?? 0
      if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) break
      index += 1
    }
    this.#countString(index - from, start + index)
    return index
  }

  /** One byte outside the plain run of a string. Returns the message's length if it ends here, else 0. */
  #step(byte: number): number {
    switch (this.#state) {
      case STATE.value:
      case STATE.firstElement:
        if (isBlank(byte)) return 0
        if (byte === 0x5d && this.#state === STATE.firstElement) return this.#close(byte)
        if (byte === BYTE_ORDER_MARK[0] && this.#seen === 0) this.#state = STATE.mark
        else this.#begin(byte)
        return 0
      case STATE.firstKey:
      case STATE.key:
        if (isBlank(byte)) return 0
        if (byte === 0x7d && this.#state === STATE.firstKey) return this.#close(byte)
        if (byte !== QUOTE) throw this.#wrong(byte)
        this.#beginString(true)
        return 0
      case STATE.colon:
        if (isBlank(byte)) return 0
        if (byte !== 0x3a) throw this.#wrong(byte)
        this.#state = STATE.value
        return 0
      case STATE.afterValue:
        return this.#afterValue(byte)
      case STATE.string:
        return this.#stepString(byte)
      case STATE.escape:
      case STATE.hex:
        this.#escape(byte)
        return 0
      case STATE.literal:
        return this.#stepLiteral(byte)
      case STATE.number:
        return this.#stepNumber(byte)
      case STATE.mark:
        if (byte !== BYTE_ORDER_MARK[this.#seen]) throw this.#wrong(byte)
        if (this.#seen === 2) this.#state = STATE.value
        return 0
      default:
        return this.#state satisfies never
    }
  }

  #begin(byte: number): void {
    this.#elements += 1
    if (this.#elements > this.#bounds.elementsMax)
      throw this.#tooMuch(`more than ${this.#bounds.elementsMax} values`)
    if (byte === QUOTE) this.#beginString(false)
    else if (byte === 0x7b) this.#open(OBJECT, STATE.firstKey)
    else if (byte === 0x5b) this.#open(ARRAY, STATE.firstElement)
    else if (LITERALS.has(byte)) this.#beginLiteral(byte)
    else this.#beginNumber(byte)
  }

  #beginLiteral(byte: number): void {
    this.#state = STATE.literal
    this.#literal = LITERALS.get(byte) ?? NO_LITERAL
    this.#literalSeen = 1
  }

  #beginNumber(byte: number): void {
    const first = nextOfNumber(NUMBER.start, byte)
    if (first === null) throw this.#wrong(byte)
    this.#state = STATE.number
    this.#number = first
  }

  #beginString(isKey: boolean): void {
    this.#state = STATE.string
    this.#isKey = isKey
    this.#stringBytes = 0
  }

  #open(bracket: number, state: State): void {
    if (this.#depth === this.#bounds.depthMax)
      throw this.#tooMuch(`nested deeper than ${this.#bounds.depthMax}`)
    this.#brackets[this.#depth] = bracket
    this.#depth += 1
    this.#state = state
  }

  #close(byte: number): number {
    const expected = this.#brackets[this.#depth - 1] === OBJECT ? 0x7d : 0x5d
    if (byte !== expected) throw this.#wrong(byte)
    this.#depth -= 1
    this.#state = STATE.afterValue
    return this.#depth === 0 ? this.#seen + 1 : 0
  }

  /** Within brackets only: a value at the top is the end of the message. */
  #afterValue(byte: number): number {
    if (isBlank(byte)) return 0
    if (byte !== 0x2c) return this.#close(byte)
    this.#state = this.#brackets[this.#depth - 1] === OBJECT ? STATE.key : STATE.value
    return 0
  }

  #stepString(byte: number): number {
    if (byte === BACKSLASH) {
      this.#countString(1, this.#seen)
      this.#state = STATE.escape
      return 0
    }
    if (byte !== QUOTE) throw this.#wrong(byte)
    this.#state = this.#isKey ? STATE.colon : STATE.afterValue
    return this.#depth === 0 ? this.#seen + 1 : 0
  }

  #escape(byte: number): void {
    this.#countString(1, this.#seen)
    if (this.#state === STATE.escape) {
      if (byte !== 0x75 && !ESCAPES.has(byte)) throw this.#wrong(byte)
      this.#hexLeft = 4
      this.#state = byte === 0x75 ? STATE.hex : STATE.string
      return
    }
    if (!isHex(byte)) throw this.#wrong(byte)
    this.#hexLeft -= 1
    if (this.#hexLeft === 0) this.#state = STATE.string
  }

  #stepLiteral(byte: number): number {
    if (byte !== this.#literal[this.#literalSeen]) throw this.#wrong(byte)
    this.#literalSeen += 1
    if (this.#literalSeen < this.#literal.length) return 0
    this.#state = STATE.afterValue
    return this.#depth === 0 ? this.#seen + 1 : 0
  }

  /** A number ends with the first byte that is not its own, which is then looked at as what follows it. */
  #stepNumber(byte: number): number {
    const next = nextOfNumber(this.#number, byte)
    if (next !== null) {
      this.#number = next
      return 0
    }
    if (!isWholeNumber(this.#number)) throw this.#wrong(byte)
    if (this.#depth > 0) {
      this.#state = STATE.afterValue
      return this.#afterValue(byte)
    }
    // `01` or `1.2.3` is one wrong text, not two right ones.
    if (!isBlank(byte) && byte !== QUOTE && byte !== 0x5b && byte !== 0x7b) throw this.#wrong(byte)
    return this.#seen
  }

  #countString(bytes: number, offset: number): void {
    this.#stringBytes += bytes
    if (this.#stringBytes <= this.#bounds.stringBytesMax) return
    this.#seen = offset
    throw this.#tooMuch(`a string longer than ${this.#bounds.stringBytesMax} bytes`)
  }

  #wrong(byte: number): SockpoolError {
    const shown = byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${hex(byte)}`
    return new SockpoolError('PARSE_FAILED', `unexpected ${shown} in JSON`, { offset: this.#seen })
  }

  #tooMuch(what: string): SockpoolError {
    return new SockpoolError('PARSE_LIMIT', `the JSON text has ${what}`, { offset: this.#seen })
  }
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46)
}

/** White space of JSON: space, tab, line feed, carriage return. */
export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
