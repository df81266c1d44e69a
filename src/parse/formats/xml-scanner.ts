/**
 * Where a document of XML ends: with the end tag of its root. White space, comments and instructions in front of the root are
 * part of it. Only what tells where tags are is looked at; whether the rest is right, the parser judges on the whole document.
 *
 *   outside ──► '<' ──┬──► start tag ──► text …  ──► end tag of the root: the end
 *                     ├──► '<!' ──► comment, CDATA
 *                     └──► '<?' ──► instruction
 *
 * A document type is refused where it begins: it could name what lies elsewhere, and texts that stand for longer ones.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Cutter, CutterState } from './format.ts'
import { BYTE_ORDER_MARK } from './utf8-text.ts'

const BYTE = {
  lt: 0x3c,
  gt: 0x3e,
  slash: 0x2f,
  bang: 0x21,
  mark: 0x3f,
  dash: 0x2d,
  open: 0x5b,
  close: 0x5d,
  quote: 0x22,
  apostrophe: 0x27,
} as const
const CDATA = Buffer.from('[CDATA[')

/** Numbers, as what a cutter has seen crosses between threads. */
const MARKED = 0
const OUTSIDE = 1
const TEXT = 2
const OPENED = 3
const BANG = 4
const COMMENT_OPEN = 5
const COMMENT = 6
const CDATA_OPEN = 7
const CDATA_TEXT = 8
const INSTRUCTION = 9
const START_TAG = 10
const IN_QUOTES = 11
const IN_APOSTROPHES = 12
const SELF_CLOSING = 13
const END_TAG = 14

/** The byte that a state waits for, where all others are skipped. */
const AWAITED: ReadonlyMap<number, number> = new Map([
  [TEXT, BYTE.lt],
  [IN_QUOTES, BYTE.quote],
  [IN_APOSTROPHES, BYTE.apostrophe],
  [END_TAG, BYTE.gt],
])

export class XmlScanner implements Cutter {
  #seen: number
  #state: number
  #depth: number
  /** Elements and attributes. */
  #elements: number
  /** How much of a sign of several bytes has come. */
  #matched: number

  constructor({ seen, state, depth, elements, matched }: CutterState = {}) {
    this.#seen = Number(seen ?? 0)
    this.#state = Number(state ?? MARKED)
    this.#depth = Number(depth ?? 0)
    this.#elements = Number(elements ?? 0)
    this.#matched = Number(matched ?? 0)
  }

  push(chunk: Uint8Array): number {
    for (let at = 0; at < chunk.length; at++) {
      const awaited = AWAITED.get(this.#state)
      // Buffer's search is memchr and takes any view.
      if (awaited !== undefined) at = Buffer.prototype.indexOf.call(chunk, awaited, at)
      if (at === -1) break
      if (this.#step(chunk[at] ?? 0, this.#seen + at)) return this.#seen + at + 1
    }
    this.#seen += chunk.length
    return 0
  }

  finish(): 'none' | 'partial' {
    if (this.#state === OUTSIDE) return 'none'
    return this.#state === MARKED && this.#matched === 0 ? 'none' : 'partial'
  }

  save(): CutterState {
    return {
      seen: this.#seen,
      state: this.#state,
      depth: this.#depth,
      elements: this.#elements,
      matched: this.#matched,
    }
  }

  /** Whether the document ends with the byte. */
  #step(byte: number, place: number): boolean {
    switch (this.#state) {
      case MARKED:
      case OUTSIDE:
        this.#outside(byte, place)
        return false
      case TEXT:
        this.#state = OPENED
        return false
      case OPENED:
        this.#opened(byte, place)
        return false
      case BANG:
      case COMMENT_OPEN:
      case CDATA_OPEN:
        this.#declared(byte, place)
        return false
      case COMMENT:
        this.#behindPair(byte, BYTE.dash)
        return false
      case CDATA_TEXT:
        this.#behindPair(byte, BYTE.close)
        return false
      case INSTRUCTION:
        if (byte === BYTE.gt && this.#matched === 1) this.#goOn()
        else this.#matched = byte === BYTE.mark ? 1 : 0
        return false
      case START_TAG:
        return this.#inStartTag(byte, place)
      case IN_QUOTES:
      case IN_APOSTROPHES:
        this.#state = START_TAG
        return false
      case SELF_CLOSING:
        if (byte !== BYTE.gt) throw failed('a slash in a tag is not followed by its end', place)
        return this.#closed()
      default:
        this.#depth -= 1
        return this.#closed()
    }
  }

  /** Outside of the root there is white space, and a byte order mark at the very beginning. */
  #outside(byte: number, place: number): void {
    if (this.#state === MARKED) {
      if (byte === BYTE_ORDER_MARK[this.#matched]) {
        this.#matched += 1
        if (this.#matched === BYTE_ORDER_MARK.length) this.#enter(OUTSIDE)
        return
      }
      if (this.#matched > 0) throw failed('the document is not XML in UTF-8', place)
      this.#state = OUTSIDE
    }
    if (byte === BYTE.lt) this.#state = OPENED
    else if (!isXmlBlank(byte)) throw failed('text stands outside of the root element', place)
  }

  #opened(byte: number, place: number): void {
    if (byte === BYTE.bang) this.#state = BANG
    else if (byte === BYTE.mark) this.#enter(INSTRUCTION)
    else if (byte === BYTE.slash) {
      if (this.#depth === 0) throw failed('an end tag has no start tag', place)
      this.#state = END_TAG
    } else {
      if (byte === BYTE.gt || byte === BYTE.lt || isXmlBlank(byte)) throw failed('a tag has no name', place)
      this.#state = START_TAG
      this.#count(place)
    }
  }

  /** Behind `<!`. */
  #declared(byte: number, place: number): void {
    if (this.#state === COMMENT_OPEN && byte === BYTE.dash) this.#enter(COMMENT)
    else if (this.#state === CDATA_OPEN && byte === CDATA[this.#matched]) {
      this.#matched += 1
      if (this.#matched === CDATA.length) this.#enter(CDATA_TEXT)
    } else if (this.#state === BANG && byte === BYTE.dash) this.#state = COMMENT_OPEN
    else if (this.#state === BANG && byte === BYTE.open && this.#depth > 0) {
      this.#state = CDATA_OPEN
      this.#matched = 1
    } else throw failed('a declaration is neither a comment nor CDATA: document types are refused', place)
  }

  /** Comments and CDATA end with a pair of one sign and `>`. */
  #behindPair(byte: number, sign: number): void {
    if (byte === BYTE.gt && this.#matched === 2) this.#goOn()
    else this.#matched = byte === sign ? Math.min(2, this.#matched + 1) : 0
  }

  #inStartTag(byte: number, place: number): boolean {
    switch (byte) {
      case BYTE.quote:
      case BYTE.apostrophe:
        this.#state = byte === BYTE.quote ? IN_QUOTES : IN_APOSTROPHES
        this.#count(place)
        return false
      case BYTE.slash:
        this.#state = SELF_CLOSING
        // The deepest elements may not be empty ones, either.
        this.#checkDepth(this.#depth + 1, place)
        return false
      case BYTE.gt:
        this.#depth += 1
        this.#checkDepth(this.#depth, place)
        this.#state = TEXT
        return false
      case BYTE.lt:
        throw failed('a tag begins within a tag', place)
      default:
        return false
    }
  }

  #checkDepth(depth: number, place: number): void {
    if (depth > LIMITS.parseDepthMax)
      throw tooMuch(`the elements are nested deeper than ${LIMITS.parseDepthMax}`, place)
  }

  #count(place: number): void {
    this.#elements += 1
    if (this.#elements > LIMITS.parseElementsMax)
      throw tooMuch(`the document has more than ${LIMITS.parseElementsMax} elements and attributes`, place)
  }

  #closed(): boolean {
    this.#goOn()
    return this.#depth === 0
  }

  /** Behind a tag, a comment, CDATA or an instruction. */
  #goOn(): void {
    this.#enter(this.#depth === 0 ? OUTSIDE : TEXT)
  }

  #enter(state: number): void {
    this.#state = state
    this.#matched = 0
  }
}

/** White space as XML has it. */
export function isXmlBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function failed(message: string, offset: number): SockpoolError {
  return new SockpoolError('PARSE_FAILED', message, { offset })
}

function tooMuch(message: string, offset: number): SockpoolError {
  return new SockpoolError('PARSE_LIMIT', message, { offset })
}
