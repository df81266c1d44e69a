/**
 * The fields of an HTTP/1.1 head, or its trailers, by RFC 9112 §5 and with nothing of what it lets a recipient overlook:
 * each line ends with CRLF, a name is a token right before its colon, no line is folded. What another reader of the same
 * bytes could take for something else is no message.
 *
 *   start ──► name ──► value ──► line end ──► start …          one field
 *     └──────────────────────────────────────► section end      the empty line behind the last
 */
import { LIMITS } from '../base/limits.ts'
import { TEXT, TOKEN } from './byte-sets.ts'
import { frameBroken } from './frame-errors.ts'
import { ShortWord } from './short-word.ts'

/** What the fields say of the body's end. */
export type Http1Framing =
  | { readonly kind: 'untold' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }

/** The last digit of HTTP/1.0 and HTTP/1.1. */
export type Http1Minor = 0 | 1

type State = 'start' | 'name' | 'value' | 'line end' | 'section end'

/** The fields that are looked into. */
type Field = 'content-length' | 'transfer-encoding' | 'connection' | 'upgrade' | 'expect'

const FIELDS: ReadonlyMap<string, Field> = new Map(
  (['content-length', 'transfer-encoding', 'connection', 'upgrade', 'expect'] as const).map(name => [
    name,
    name,
  ]),
)

const [LF, CR, COLON, COMMA] = [0x0a, 0x0d, 0x3a, 0x2c]
const DIGITS = new RegExp(`^[0-9]{1,${LIMITS.frameHttpDigitsMax}}$`)
const CODING = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

export class Http1Fields {
  #state: State = 'start'
  #lineBytes = 0
  #sectionBytes = 0
  /** The name of a field; then one element of its value after the other. */
  readonly #word = new ShortWord()
  #field: Field | null = null
  #length: number | null = null
  /** The last coding. */
  #coding: string | null = null
  readonly #said = new Set<'close' | 'keep-alive' | 'upgrade' | 'expect'>()

  /** Forgets what the last fields said. */
  begin(): void {
    this.#state = 'start'
    this.#lineBytes = 0
    this.#sectionBytes = 0
    this.#length = null
    this.#coding = null
    this.#said.clear()
  }

  /** The index behind the empty line that ends the fields, or -1 while they go on. Errors: FRAME_BROKEN. */
  endOf(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) if (this.#step(bytes[at] ?? 0)) return at + 1
    return -1
  }

  /** Errors: FRAME_BROKEN, where two fields, or a field and the version, tell of different ends. */
  framing(minor: Http1Minor): Http1Framing {
    if (this.#coding !== null) {
      if (this.#length !== null) throw broken('it has a Content-Length and a Transfer-Encoding')
      if (minor === 0) throw broken('HTTP/1.0 has no Transfer-Encoding')
      if (this.#coding !== 'chunked') throw broken('its last coding is not chunked')
      return { kind: 'chunked' }
    }
    return this.#length === null ? { kind: 'untold' } : { kind: 'length', bytes: this.#length }
  }

  /** Whether the connection goes on behind the message. */
  persists(minor: Http1Minor): boolean {
    return !this.#said.has('close') && (minor === 1 || this.#said.has('keep-alive'))
  }

  /** Whether there is an Upgrade, or an Expect. */
  get asksForMore(): boolean {
    return this.#said.has('upgrade') || this.#said.has('expect')
  }

  /** Whether the fields have ended. */
  #step(byte: number): boolean {
    if (++this.#lineBytes > LIMITS.frameHttpLineBytesMax) throw broken('a line of its head is too long')
    switch (this.#state) {
      case 'start':
        if (byte === CR) this.#state = 'section end'
        else this.#inName(byte)
        return false
      case 'name':
        this.#inName(byte)
        return false
      case 'value':
        this.#inValue(byte)
        return false
      case 'line end':
        if (byte !== LF) throw broken('a CR stands alone')
        this.#sectionBytes += this.#lineBytes
        if (this.#sectionBytes > LIMITS.frameHttpFieldsBytesMax) throw broken('its fields are too long')
        this.#lineBytes = 0
        this.#state = 'start'
        return false
      case 'section end':
        if (byte !== LF) throw broken('a CR stands alone')
        return true
      default:
        return this.#state satisfies never
    }
  }

  #inName(byte: number): void {
    if (TOKEN[byte] === 1) {
      this.#state = 'name'
      this.#word.add(byte)
    } else if (byte === COLON && this.#state === 'name') {
      this.#state = 'value'
      this.#beginValue(this.#word.take()?.toLowerCase() ?? '')
    } else throw broken('a field has no name, or more than a name before its colon')
  }

  #beginValue(name: string): void {
    this.#field = FIELDS.get(name) ?? null
    if (this.#field === 'upgrade' || this.#field === 'expect') this.#said.add(this.#field)
  }

  #inValue(byte: number): void {
    if (TEXT[byte] === 0 && byte !== CR) throw broken('a field has a value with a control character')
    if (this.#field !== null) {
      if (byte !== COMMA && byte !== CR) this.#word.add(byte)
      else this.#endElement(this.#field, this.#word.take()?.toLowerCase() ?? null)
    }
    if (byte === CR) this.#state = 'line end'
  }

  #endElement(field: Field, element: string | null): void {
    switch (field) {
      case 'content-length':
        if (this.#length !== null) throw broken('it has more than one Content-Length')
        if (element === null || !DIGITS.test(element)) throw broken('its Content-Length is no number')
        this.#length = Number(element)
        return
      case 'transfer-encoding':
        if (element === null || !CODING.test(element))
          throw broken('its Transfer-Encoding is no list of codings')
        if (this.#coding === 'chunked') throw broken('a coding follows chunked')
        this.#coding = element
        return
      case 'connection':
        if (element === 'close' || element === 'keep-alive') this.#said.add(element)
        return
      case 'upgrade':
      case 'expect':
        return
      default:
        return field satisfies never
    }
  }
}

function broken(what: string): Error {
  return frameBroken('http1', what)
}
