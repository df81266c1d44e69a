/**
 * Messages behind a length that is a varint: seven bits a byte, the lowest first, the top bit set in all but the last.
 * A library that cuts such streams pulls them out of an iterator; here bytes are pushed, and what was seen can be kept.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { Cutter, CutterState } from './format.ts'

/** Bytes of a varint of 64 bits. */
const VARINT_BYTES_MAX = 10

export class VarintCutter implements Cutter {
  readonly #max: number
  #seen: number
  #value: number
  /** Bytes of the length so far, and whether it is whole. */
  #header: number
  #isWhole: boolean

  /** `max`: bytes of the longest message, its length included. */
  constructor(max: number, saved: CutterState = {}) {
    this.#max = max
    this.#seen = Number(saved['seen'] ?? 0)
    this.#value = Number(saved['value'] ?? 0)
    this.#header = Number(saved['header'] ?? 0)
    this.#isWhole = saved['isWhole'] === true
  }

  push(chunk: Uint8Array): number {
    for (let index = 0; !this.#isWhole && index < chunk.length; index++) this.#add(chunk[index] ?? 0)
    this.#seen += chunk.length
    const length = this.#header + this.#value
    return this.#isWhole && this.#seen >= length ? length : 0
  }

  finish(): 'none' | 'partial' {
    return this.#seen === 0 ? 'none' : 'partial'
  }

  save(): CutterState {
    return { seen: this.#seen, value: this.#value, header: this.#header, isWhole: this.#isWhole }
  }

  #add(byte: number): void {
    const offset = this.#header
    // Beyond 2^53 a sum is not exact, but stays beyond every bound.
    this.#value += (byte & 0x7f) * 2 ** (7 * offset)
    this.#header += 1
    this.#isWhole = byte < 0x80
    if (!this.#isWhole && this.#header === VARINT_BYTES_MAX)
      throw new SockpoolError('PARSE_FAILED', 'a length has no end', { offset })
    if (this.#header + this.#value > this.#max)
      throw new SockpoolError('PARSE_LIMIT', `a message is longer than ${this.#max} bytes`, { offset })
  }
}

/** Bytes of the varint that a message begins with. */
export function varintBytes(message: Uint8Array): number {
  return message.findIndex(byte => byte < 0x80) + 1
}
