/**
 * Messages that end with a mark: lines, MLLP, and whatever an operator names. Where they begin with one too, bytes that do
 * not are broken; between the two anything may stand, the first mark included.
 *
 *   line       …… \n
 *   crlf       …… \r\n
 *   mllp  0B   …… 1C 0D
 */
import type { Frame } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import type { Marks } from './frame-spec.ts'
import { type EndSearch, symmetricFrame } from './symmetric-frame.ts'

const LINE = { start: new Uint8Array(), end: Uint8Array.of(0x0a) }
const CRLF = { start: new Uint8Array(), end: Uint8Array.of(0x0d, 0x0a) }
const MLLP = { start: Uint8Array.of(0x0b), end: Uint8Array.of(0x1c, 0x0d) }

export function lineFrame(max: number): Frame {
  return framed('line', LINE, max, true)
}

export function crlfFrame(max: number): Frame {
  return framed('crlf', CRLF, max, true)
}

/** Source: HL7 Minimal Lower Layer Protocol, release 1. */
export function mllpFrame(max: number): Frame {
  return framed('mllp', MLLP, max, true)
}

/** What a mark ends may be anything, so that counts of it prove nothing. */
export function delimiterFrame(marks: Marks, max: number): Frame {
  return framed('delimiter', marks, max, false)
}

function framed(name: string, { start, end }: Marks, max: number, balances: boolean): Frame {
  const falls = fallsOf(end)
  return symmetricFrame({ name, max, balances, search: () => new MarkSearch(name, start, end, falls) })
}

/** Holds the bytes against the first mark, then looks for the last one, which may be cut anywhere (Knuth, Morris and Pratt). */
class MarkSearch implements EndSearch {
  readonly #name: string
  readonly #start: Uint8Array
  readonly #end: Uint8Array
  readonly #falls: Uint8Array
  /** How many bytes of the last mark the bytes so far end with. */
  #matched = 0

  constructor(name: string, start: Uint8Array, end: Uint8Array, falls: Uint8Array) {
    this.#name = name
    this.#start = start
    this.#end = end
    this.#falls = falls
  }

  find(bytes: Uint8Array, before: number): number {
    const start = this.#start
    let at = 0
    for (; before + at < start.length && at < bytes.length; at++)
      if (bytes[at] !== start[before + at])
        throw frameBroken(this.#name, 'the message does not begin with its mark')
    return this.#findEnd(bytes, at)
  }

  #findEnd(bytes: Uint8Array, from: number): number {
    const end = this.#end
    const first = end[0] ?? 0
    let matched = this.#matched
    for (let at = from; at < bytes.length; at++) {
      if (matched === 0) {
        // Most bytes begin no mark; the native search passes over them at the speed of memory.
        at = Buffer.prototype.indexOf.call(bytes, first, at)
        if (at === -1) break
      }
      const byte = bytes[at]
      while (matched > 0 && byte !== end[matched]) matched = this.#falls[matched - 1] ?? 0
      if (byte === end[matched]) matched++
      if (matched < end.length) continue
      this.#matched = 0
      return at + 1
    }
    this.#matched = matched
    return 0
  }
}

/** For each beginning of the mark: how long the longest shorter beginning is that it ends with. */
function fallsOf(mark: Uint8Array): Uint8Array {
  const falls = new Uint8Array(mark.length)
  let matched = 0
  for (let at = 1; at < mark.length; at++) {
    while (matched > 0 && mark[at] !== mark[matched]) matched = falls[matched - 1] ?? 0
    if (mark[at] === mark[matched]) matched++
    falls[at] = matched
  }
  return falls
}
