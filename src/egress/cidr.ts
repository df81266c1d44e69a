/**
 * A block of addresses of one family, compared bit by bit. A block inside ::ffff:0:0/96 is the IPv4 block it
 * wraps, as single addresses are; a wider IPv6 block never contains an IPv4 address. A block with a zone (`fe80::%eth0/64`)
 * holds what is on that link alone, one without what is on any.
 */
import { type Address, parseAddress } from './address.ts'

const MAPPED_BITS = 96
const PREFIX = /^(?:0|[1-9]\d{0,2})$/

export class Cidr {
  readonly base: Address
  /** Leading bits that count, 0..32 or 0..128. */
  readonly prefix: number

  private constructor(base: Address, prefix: number) {
    this.base = base
    this.prefix = prefix
  }

  /**
   * Reads `ADDRESS/PREFIX`, or a single address as the block of itself.
   *
   * Errors: a plain Error that says what is wrong, without the text; bits beyond the prefix are one, since
   *   they mean that the writer had another block in mind.
   */
  static parse(text: string): Cidr {
    const slash = text.indexOf('/')
    const host = slash < 0 ? text : text.slice(0, slash)
    const base = parseAddress(host)
    if (!base) throw new Error('the address is not written canonically')
    const bits = base.bytes.length * 8
    if (slash < 0) return new Cidr(base, bits)
    const prefix = prefixOf(text.slice(slash + 1), host, base)
    if (!(prefix >= 0 && prefix <= bits)) throw new Error(`the prefix must be 0..${bits}`)
    const block = new Cidr(base, prefix)
    if (!block.#isAligned()) throw new Error(`the address has bits beyond the prefix /${prefix}`)
    return block
  }

  get text(): string {
    return `${this.base.text}/${this.prefix}`
  }

  contains(address: Address): boolean {
    if (address.family !== this.base.family) return false
    if (this.base.zone !== undefined && this.base.zone !== address.zone) return false
    const whole = this.prefix >> 3
    for (let index = 0; index < whole; index += 1)
      if (address.bytes[index] !== this.base.bytes[index]) return false
    const rest = this.prefix & 7
    if (rest === 0) return true
    return ((address.bytes[whole] ?? 0) ^ (this.base.bytes[whole] ?? 0)) >> (8 - rest) === 0
  }

  /** Whether every address of the other block lies in this one. */
  covers(other: Cidr): boolean {
    return other.prefix >= this.prefix && this.contains(other.base)
  }

  #isAligned(): boolean {
    return this.base.bytes.every((byte, index) => {
      const counted = Math.min(8, Math.max(0, this.prefix - index * 8))
      return (byte & (0xff >> counted)) === 0
    })
  }
}

/** The prefix in bits of the unwrapped base; NaN where it is none. */
function prefixOf(text: string, host: string, base: Address): number {
  if (!PREFIX.test(text)) return Number.NaN
  return base.family === 4 && host.includes(':') ? Number(text) - MAPPED_BITS : Number(text)
}
