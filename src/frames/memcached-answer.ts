/** Finds the end of one answer of memcached's text protocol: a line, a line with data, or a list up to its END. */
import { LIMITS } from '../base/limits.ts'
import { DataBlock } from './data-block.ts'
import { frameBroken } from './frame-errors.ts'
import { lengthOf } from './memcached-request.ts'
import type { MessageBound } from './message-bound.ts'
import { lineBytes, WordLine, type WordTaker } from './word-line.ts'

/** Keys in answers may hold control characters. */
const LINE_BYTES = lineBytes(' ', '')
const DATA_END_BYTES = 2
/** Where VALUE and VA have the length of their data. */
const LENGTH_AT: ReadonlyMap<string, number> = new Map([
  ['VALUE', 3],
  ['VA', 1],
])
const LISTS: ReadonlySet<string> = new Set(['VALUE', 'STAT', 'ITEM', 'PREFIX'])
const FAILURES: ReadonlySet<string> = new Set(['ERROR', 'CLIENT_ERROR', 'SERVER_ERROR'])
const ALONE: ReadonlySet<string> = new Set(
  'END STORED NOT_STORED EXISTS NOT_FOUND DELETED TOUCHED RESET MN'.split(' '),
)
const WITH_TEXT: ReadonlySet<string> = new Set(
  'OK ERROR ERROR: CLIENT_ERROR SERVER_ERROR VERSION BUSY BADCLASS NOSPARE NOTFULL UNSAFE SAME HD VA EN NS EX NF ME'.split(
    ' ',
  ),
)

export class MemcachedAnswer implements WordTaker {
  readonly #bound: MessageBound
  readonly #line: WordLine = new WordLine('memcached', LINE_BYTES, this)
  readonly #data = new DataBlock('memcached')
  #phase: 'start' | 'line' | 'data' = 'start'
  /** The first word of the lines that END ends, where the answer is a list. */
  #list: string | null = null
  #first = ''
  #words = 0
  #dataBytes: number | null = null

  constructor(bound: MessageBound) {
    this.#bound = bound
  }

  /** Index behind the answer, or -1 where it goes on. Errors: FRAME_BROKEN, LIMIT_OVERRUN. */
  find(bytes: Uint8Array, to: number): number {
    for (let index = 0; index < to; ) {
      if (this.#phase === 'start') this.#begin(bytes[index] ?? 0)
      index = (this.#phase === 'data' ? this.#data : this.#line).find(bytes, index, to)
      if (index === -1) return -1
      if (this.#phase === 'line' && this.#beginData(index)) continue
      this.#phase = 'start'
      if (LISTS.has(this.#first)) this.#list = this.#first
      else {
        this.#list = null
        return index
      }
    }
    return -1
  }

  takeWord(text: string | null, length: number): void {
    const at = this.#words++
    if (at === 0) this.#takeFirst(text)
    else if (!LISTS.has(this.#first) && !WITH_TEXT.has(this.#first))
      throw frameBroken('memcached', 'a line goes on behind its only word')
    if (this.#first === 'VALUE' && at === 1 && length > LIMITS.memcachedKeyBytesMax)
      throw frameBroken('memcached', 'a key is longer than a key')
    if (at > 0 && at === LENGTH_AT.get(this.#first)) this.#dataBytes = lengthOf(text)
  }

  #begin(first: number): void {
    if (first >= 0x80) throw frameBroken('memcached', 'this is not the text protocol')
    this.#line.begin(LIMITS.memcachedLineBytesMax)
    this.#words = 0
    this.#dataBytes = null
    this.#phase = 'line'
  }

  #takeFirst(text: string | null): void {
    this.#first = text ?? ''
    const isKnown =
      this.#list === null
        ? LISTS.has(this.#first) ||
          ALONE.has(this.#first) ||
          WITH_TEXT.has(this.#first) ||
          /^\d{1,20}$/.test(this.#first)
        : this.#first === this.#list || this.#first === 'END' || FAILURES.has(this.#first)
    if (!isKnown) throw frameBroken('memcached', 'a line begins with no word of an answer')
  }

  /** Whether data follows the line. */
  #beginData(index: number): boolean {
    if (this.#words === 0) throw frameBroken('memcached', 'an answer is empty')
    if (LENGTH_AT.has(this.#first) && this.#dataBytes === null)
      throw frameBroken('memcached', 'a line lacks the length of its data')
    if (this.#dataBytes === null) return false
    this.#bound.expect(index, this.#dataBytes + DATA_END_BYTES)
    this.#data.begin(this.#dataBytes)
    this.#phase = 'data'
    return true
  }
}
