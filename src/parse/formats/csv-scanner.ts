/**
 * Where a record of CSV ends, by RFC 4180: at a line's end outside of quotes. Lines that hold no record (comments, and empty
 * ones where they are skipped) belong to the record behind them, as does a byte order mark.
 *
 *   mark ──► line start ──► field start ──┬──► plain ───────────────────┬──► field start …   at a delimiter
 *               │  ▲                      └──► quoted ──► behind quote ─┘
 *               ▼  │                           escaped    behind blanks
 *   comment, skipped CR                                                  └──► CR ──► the end, with an LF or in front of the next byte
 *
 * It is stricter than the library that takes the record apart, so that both see the same ends: what follows a closing quote
 * is a delimiter or a line's end, and a quote stands in no field that does not begin with one.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { CsvSigns } from './csv-dialect.ts'
import type { Cutter, CutterState } from './format.ts'
import { BYTE_ORDER_MARK } from './utf8-text.ts'

const [TAB, LF, CR, SPACE] = [0x09, 0x0a, 0x0d, 0x20]

/** Numbers, as what a cutter has seen crosses between threads. */
const MARKED = 0
const LINE_START = 1
const COMMENT = 2
const SKIPPED_CR = 3
const FIELD_START = 4
const PLAIN = 5
const QUOTED = 6
const ESCAPED = 7
const BEHIND_QUOTE = 8
const BEHIND_BLANKS = 9
const ENDING_CR = 10

export class CsvScanner implements Cutter {
  readonly #signs: CsvSigns
  /** 1 for what ends a run of plain bytes: delimiter, quote, CR, LF. */
  readonly #ends = new Uint8Array(256)
  /** Bytes before the chunk that is looked at. */
  #seen: number
  #state: number
  /** Where the record itself begins. */
  #start: number
  #fields: number

  constructor(signs: CsvSigns, { seen, state, start, fields }: CutterState = {}) {
    this.#signs = signs
    for (const sign of [CR, LF, signs.delimiter, signs.quote]) if (sign !== -1) this.#ends[sign] = 1
    this.#seen = Number(seen ?? 0)
    this.#state = Number(state ?? MARKED)
    this.#start = Number(start ?? 0)
    this.#fields = Number(fields ?? 1)
  }

  /** Where the record begins, in bytes from the start of the message. */
  get start(): number {
    return this.#start
  }

  /** Forgets what it has seen, for the message that begins at a place of a complete input. */
  begin(at: number): void {
    this.#seen = at
    this.#state = MARKED
    this.#start = at
    this.#fields = 1
  }

  push(chunk: Uint8Array): number {
    return this.scan(chunk, 0)
  }

  /** As `push`, for the rest of a complete input from where the message begins; all places count from the input's start. */
  scan(bytes: Uint8Array, from: number): number {
    const base = this.#seen - from
    for (let at = from; at < bytes.length; at++) {
      at = this.#skipRun(bytes, at)
      const byte = bytes[at]
      if (byte === undefined) break
      const end = this.#step(byte, base + at)
      if (end !== 0) return end
    }
    this.#seen = base + bytes.length
    return 0
  }

  finish(): number | 'none' | 'partial' {
    switch (this.#state) {
      case MARKED:
        return this.#seen === this.#start ? 'none' : this.#seen
      case LINE_START:
      case COMMENT:
      case SKIPPED_CR:
        return 'none'
      case QUOTED:
      case ESCAPED:
        return 'partial'
      default:
        return this.#seen
    }
  }

  save(): CutterState {
    return { seen: this.#seen, state: this.#state, start: this.#start, fields: this.#fields }
  }

  /** The next index that the state cares about: most bytes are within a field, and nothing. */
  #skipRun(bytes: Uint8Array, from: number): number {
    let at = from
    if (this.#state === PLAIN) while (at < bytes.length && this.#ends[bytes[at] ?? 0] === 0) at += 1
    else if (this.#state === QUOTED) {
      const { quote, escaper } = this.#signs
      while (at < bytes.length && bytes[at] !== quote && bytes[at] !== escaper) at += 1
    }
    return at
  }

  /** The message's end, or 0 where it goes on behind the byte. */
  #step(byte: number, place: number): number {
    switch (this.#state) {
      case MARKED:
        return this.#atMark(byte, place)
      case LINE_START:
        return this.#atLineStart(byte, place)
      case COMMENT:
        if (byte === LF || byte === CR) this.#skipLine(byte, place)
        return 0
      case SKIPPED_CR:
        this.#state = LINE_START
        this.#start = byte === LF ? place + 1 : place
        return byte === LF ? 0 : this.#atLineStart(byte, place)
      case FIELD_START:
        return this.#atFieldStart(byte, place)
      case PLAIN:
        if (byte === this.#signs.quote && !this.#signs.relaxQuotes)
          throw failed('a quote stands within a field that does not begin with one', place)
        return this.#atFieldEnd(byte, place)
      case QUOTED:
        this.#state = byte === this.#signs.quote ? BEHIND_QUOTE : ESCAPED
        return 0
      case ESCAPED:
        this.#state = QUOTED
        return 0
      case ENDING_CR:
        return byte === LF ? place + 1 : place
      default:
        return this.#behindQuote(byte, place)
    }
  }

  #atMark(byte: number, place: number): number {
    const matched = place - this.#start
    if (byte === BYTE_ORDER_MARK[matched]) {
      if (matched === BYTE_ORDER_MARK.length - 1) {
        this.#state = LINE_START
        this.#start = place + 1
      }
      return 0
    }
    // The bytes so far were no mark but a field, of whatever characters.
    this.#state = matched === 0 ? LINE_START : PLAIN
    return this.#step(byte, place)
  }

  #atLineStart(byte: number, place: number): number {
    const { comment, skipEmptyLines } = this.#signs
    if (skipEmptyLines && (byte === LF || byte === CR)) {
      this.#skipLine(byte, place)
      return 0
    }
    if (byte === comment) {
      this.#state = COMMENT
      return 0
    }
    return this.#isBlank(byte) ? 0 : this.#atFieldStart(byte, place)
  }

  #skipLine(byte: number, place: number): void {
    this.#state = byte === LF ? LINE_START : SKIPPED_CR
    this.#start = place + 1
  }

  #atFieldStart(byte: number, place: number): number {
    if (this.#isBlank(byte)) return 0
    this.#state = byte === this.#signs.quote ? QUOTED : PLAIN
    return this.#state === QUOTED ? 0 : this.#atFieldEnd(byte, place)
  }

  #behindQuote(byte: number, place: number): number {
    const { quote, escaper } = this.#signs
    if (byte === quote && escaper === quote && this.#state === BEHIND_QUOTE) {
      this.#state = QUOTED
      return 0
    }
    if (this.#isBlank(byte)) {
      this.#state = BEHIND_BLANKS
      return 0
    }
    if (byte !== this.#signs.delimiter && byte !== LF && byte !== CR)
      throw failed('more than a delimiter follows a closing quote', place)
    return this.#atFieldEnd(byte, place)
  }

  /** What ends a field; any other byte belongs to it. */
  #atFieldEnd(byte: number, place: number): number {
    if (byte === LF) return place + 1
    if (byte === CR) this.#state = ENDING_CR
    else if (byte === this.#signs.delimiter) {
      this.#state = FIELD_START
      if (++this.#fields > LIMITS.parseElementsMax)
        throw new SockpoolError('PARSE_LIMIT', `a record has more than ${LIMITS.parseElementsMax} fields`, {
          offset: place,
        })
    }
    return 0
  }

  #isBlank(byte: number): boolean {
    const { trim, delimiter } = this.#signs
    return trim && (byte === SPACE || byte === TAB) && byte !== delimiter
  }
}

function failed(message: string, offset: number): SockpoolError {
  return new SockpoolError('PARSE_FAILED', message, { offset })
}
