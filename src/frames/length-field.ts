/**
 * Messages that say their length in a field of their header.
 *
 *   ◄─ offset ─►◄─ bytes ─►◄───── value + adjust ─────►
 *  ┌────────────┬──────────┬───────────────────────────┐
 *  │            │  value   │ body                      │
 *  └────────────┴──────────┴───────────────────────────┘
 *   ◄──── value + adjust, where it includes the header ►
 *
 *   modbus    offset 2, 4 bytes: the protocol's number, which is 0, and a length from 2 to 254 read as one number
 *   dns       2 bytes, of a body that has at least the 12 bytes of its own header
 *   iso8583   2 bytes
 */
import type { Frame } from './frame.ts'
import { frameBroken, frameOverrun } from './frame-errors.ts'
import { LENGTH_FIELD, type LengthField } from './frame-spec.ts'
import { type EndSearch, symmetricFrame } from './symmetric-frame.ts'

/** A length field, and which of its values can be. */
type Rule = LengthField & { readonly name: string; readonly valueMin: number; readonly valueMax: number }

const ANY = { valueMin: 0, valueMax: Number.MAX_SAFE_INTEGER }

/** Source: MODBUS Messaging on TCP/IP Implementation Guide 1.0b, 3.1.3. */
export function modbusFrame(max: number): Frame {
  return framed({ ...LENGTH_FIELD, name: 'modbus', offset: 2, bytes: 4, valueMin: 2, valueMax: 254, max })
}

/** Source: RFC 1035, 4.1.1 and 4.2.2. */
export function dnsFrame(max: number): Frame {
  return framed({ ...LENGTH_FIELD, ...ANY, name: 'dns', bytes: 2, valueMin: 12, max })
}

export function iso8583Frame(max: number): Frame {
  return framed({ ...LENGTH_FIELD, ...ANY, name: 'iso8583', bytes: 2, max })
}

export function lengthFieldFrame(field: LengthField): Frame {
  return framed({ ...ANY, ...field, name: 'lengthField' })
}

function framed(rule: Rule): Frame {
  const { name, max } = rule
  return symmetricFrame({ name, max, balances: true, search: () => new LengthSearch(rule) })
}

/** How many values one byte of a field has. */
const RADIX = { binary: 256, ascii: 10, bcd: 100 } as const

/** Adds the field up byte by byte, then counts. */
class LengthSearch implements EndSearch {
  readonly #rule: Rule
  readonly #header: number
  #value = 0
  #length = 0

  constructor(rule: Rule) {
    this.#rule = rule
    this.#header = rule.offset + rule.bytes
  }

  find(bytes: Uint8Array, before: number): number {
    const header = this.#header
    if (before < header) {
      if (before === 0) this.#value = 0
      const end = Math.min(header - before, bytes.length)
      for (let at = Math.max(0, this.#rule.offset - before); at < end; at++)
        this.#add(bytes[at] ?? 0, before + at - this.#rule.offset)
      if (before + bytes.length < header) return 0
      this.#length = this.#judged()
    }
    const left = this.#length - before
    return left > bytes.length ? 0 : left
  }

  /** The byte at `index` of the field. Sums beyond 2^53 are not exact, but stay beyond it. */
  #add(byte: number, index: number): void {
    const { encoding, endian } = this.#rule
    const radix = RADIX[encoding]
    const digit = this.#digitOf(byte)
    this.#value = endian === 'big' ? this.#value * radix + digit : this.#value + digit * radix ** index
  }

  #digitOf(byte: number): number {
    const { encoding, name } = this.#rule
    switch (encoding) {
      case 'binary':
        return byte
      case 'ascii':
        if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
        throw frameBroken(name, 'the message has a length that is not of ASCII digits')
      case 'bcd':
        if (byte >> 4 <= 9 && (byte & 15) <= 9) return (byte >> 4) * 10 + (byte & 15)
        throw frameBroken(name, 'the message has a length that is not of BCD digits')
      default:
        return encoding satisfies never
    }
  }

  /** The length of the whole message, which is at least that of its header. */
  #judged(): number {
    const { name, max, valueMin, valueMax, adjust, includesHeader } = this.#rule
    if (this.#value < valueMin || this.#value > valueMax)
      throw frameBroken(name, 'the message has a length that cannot be')
    const length = this.#value + adjust + (includesHeader ? 0 : this.#header)
    if (length < this.#header) throw frameBroken(name, 'the message says that it is shorter than its header')
    if (length > max) throw frameOverrun(name, max, Math.min(this.#header, max))
    return length
  }
}
