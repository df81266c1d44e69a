/**
 * One step of a parse whose input comes in parts. It writes the values that are whole, and gives back the rest with what
 * was seen of it, so that no byte is looked at twice; a step that has written enough ends, whatever is left.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { InputPart, PartResult, SeenOfValue } from '../../base/input-part.ts'
import { fixedMemory, freeMemory } from '../../base/large-memory.ts'
import { LIMITS } from '../../base/limits.ts'
import { shifted } from './decode-all.ts'
import type { Cutter, Decoder, TextForm } from './format.ts'
import { TextSink } from './text-sink.ts'

/** `bytesMax`: bytes that one value may have. What is wrong with the bytes is told in the result. */
export function writePart(decoder: Decoder, part: InputPart, bytesMax: number): PartResult {
  if (decoder.whole) return { kind: 'whole', rest: part }
  return new PartWriting(decoder.text, part, bytesMax).run()
}

/** What one look at the rest has found. */
type Look =
  | { readonly kind: 'value'; readonly length: number }
  | { readonly kind: 'unfinished'; readonly seen: SeenOfValue | null }
  /** No value comes any more. */
  | { readonly kind: 'end' }

class PartWriting {
  readonly #text: TextForm
  readonly #isLast: boolean
  readonly #bytesMax: number
  readonly #pieces: Buffer[]
  /** Memory of which the pieces were all when they came. */
  readonly #own = new Set<ArrayBuffer>()
  readonly #texts: Uint8Array[] = []
  #sink: TextSink
  #seen: SeenOfValue | null
  #offset: number
  #count = 0
  #textBytes = 0

  constructor(text: TextForm, { pieces, offset, seen, isLast }: InputPart, bytesMax: number) {
    this.#text = text
    this.#isLast = isLast
    this.#bytesMax = bytesMax
    this.#pieces = pieces.filter(({ length }) => length > 0).map(fixedMemory)
    for (const { buffer, length } of this.#pieces)
      if (buffer instanceof ArrayBuffer && buffer.byteLength === length) this.#own.add(buffer)
    this.#offset = offset
    this.#seen = seen
    const most: number = LIMITS.parseTextRoomBytes
    this.#sink = new TextSink(Math.min(most, 64 + this.#pieces.reduce((sum, { length }) => sum + length, 0)))
  }

  run(): PartResult {
    try {
      while (this.#textBytes < LIMITS.parseStepTextBytes) {
        const look = this.#look()
        if (look.kind === 'value') this.#write(look.length)
        else {
          this.#seen = look.kind === 'end' ? null : look.seen
          if (look.kind === 'end') this.#drop(Number.POSITIVE_INFINITY)
          return this.#result(false, null)
        }
      }
      return this.#result(true, null)
    } catch (error) {
      const failure = SockpoolError.from(shifted(error, this.#offset), 'PARSE_FAILED').toJSON()
      this.#drop(Number.POSITIVE_INFINITY)
      return this.#result(false, failure)
    }
  }

  /** Errors: PARSE_FAILED, PARSE_LIMIT, with `offset` from the start of the rest. */
  #look(): Look {
    // An input without a byte is looked at: it may be none that the format takes.
    if (this.#isLast && this.#pieces.length === 0 && this.#offset > 0) return { kind: 'end' }
    const cutter = this.#text.cutter(this.#seen?.cutter ?? undefined)
    // A cutter that could not say what it had seen begins again.
    const { length, seen } = this.#push(cutter, this.#seen?.cutter ? this.#seen.count : 0)
    if (length > this.#bytesMax || (length === 0 && seen >= this.#bytesMax))
      throw new SockpoolError('PARSE_LIMIT', `a value is longer than ${this.#bytesMax} bytes`, {
        offset: this.#bytesMax,
      })
    if (length > 0) return { kind: 'value', length }
    if (!this.#isLast)
      return { kind: 'unfinished', seen: seen === 0 ? null : { count: seen, cutter: cutter.save() } }
    const last = cutter.finish()
    if (last === 'none') return { kind: 'end' }
    if (last === 'partial')
      throw new SockpoolError('PARSE_FAILED', 'the input ends within a message', { offset: seen })
    return { kind: 'value', length: last }
  }

  /** Shows the cutter what it has not seen: the length of the value or 0, and the bytes seen by now. */
  #push(cutter: Cutter, before: number): { readonly length: number; readonly seen: number } {
    let start = 0
    for (const piece of this.#pieces) {
      const from = Math.max(0, before - start)
      start += piece.length
      if (from >= piece.length) continue
      const length = cutter.push(from === 0 ? piece : piece.subarray(from))
      if (length > 0) return { length, seen: start }
    }
    return { length: 0, seen: start }
  }

  #write(length: number): void {
    const mark = this.#sink.length
    try {
      this.#text.write(this.#front(length), this.#sink)
      this.#sink.text('\n')
    } catch (error) {
      this.#sink.rewind(mark)
      throw error
    }
    this.#drop(length)
    this.#offset += length
    this.#seen = null
    this.#count += 1
    this.#textBytes += this.#sink.length - mark
    if (this.#sink.length >= LIMITS.parseTextPieceBytes) this.#turnOver()
  }

  /** The first bytes, in one piece. */
  #front(length: number): Buffer {
    const [first] = this.#pieces
    if (first && first.length >= length) return first.subarray(0, length)
    const parts: Buffer[] = []
    let missing = length
    for (const piece of this.#pieces) {
      parts.push(piece.subarray(0, missing))
      missing -= Math.min(missing, piece.length)
      if (missing === 0) break
    }
    return Buffer.concat(parts, length)
  }

  /** Lets go of the first bytes, and of memory that has no others: it is a part's, and garbage would gather by parts. */
  #drop(count: number): void {
    let left = count
    for (let first = this.#pieces[0]; first !== undefined && left > 0; first = this.#pieces[0]) {
      if (first.length > left) {
        this.#pieces[0] = first.subarray(left)
        return
      }
      left -= first.length
      this.#pieces.shift()
      this.#free(first)
    }
  }

  #free({ buffer }: Buffer): void {
    if (buffer instanceof ArrayBuffer && this.#own.delete(buffer)) freeMemory(buffer)
  }

  /** What is left, in memory that is not much larger than it is. */
  #left(): readonly Buffer[] {
    const pieces = this.#pieces
    const [first] = pieces
    // Of a value that comes in crumbs, or the pieces would be dearer than their bytes.
    if (pieces.length > LIMITS.parsePiecesMax) return [ownMemory(pieces)]
    if (first === undefined || first.length * 2 > first.buffer.byteLength) return pieces
    const trimmed = ownMemory([first])
    this.#free(first)
    return [trimmed, ...pieces.slice(1)]
  }

  #turnOver(): void {
    if (this.#sink.length === 0) return
    this.#texts.push(this.#sink.finish())
    this.#sink = new TextSink(LIMITS.parseTextRoomBytes)
  }

  #result(hasMore: boolean, failure: Extract<PartResult, { kind: 'values' }>['failure']): PartResult {
    if (this.#sink.length > 0) this.#texts.push(this.#sink.finish())
    const rest = { pieces: this.#left(), offset: this.#offset, seen: this.#seen }
    return { kind: 'values', texts: this.#texts, count: this.#count, rest, hasMore, failure }
  }
}

/** The pieces as one, in memory that nobody else has. */
function ownMemory(pieces: readonly Buffer[]): Buffer {
  const joined = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
