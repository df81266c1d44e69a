/** Finds the end of one request of memcached's text protocol: a line, and the data that it announces. */
import { LIMITS } from '../base/limits.ts'
import { DataBlock } from './data-block.ts'
import type { CallerMessage } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { type MemcachedForm, memcachedForm } from './memcached-commands.ts'
import type { MessageBound } from './message-bound.ts'
import { CONTROLS, lineBytes, WordLine, type WordTaker } from './word-line.ts'

const LINE_BYTES = lineBytes(' ', CONTROLS)
const UNKNOWN: MemcachedForm = { kind: 'exclusive', answers: 1 }
const NAME = /^[A-Za-z0-9_]+$/
const WHOLE = /^(?:0|[1-9]\d{0,18})$/
const DATA_END_BYTES = 2

/** What stands behind the key of a storage command, before its data: flags, exptime, bytes, cas. */
const [FLAGS_AT, EXPTIME_AT, BYTES_AT] = [2, 3, 4]
const UINT32_MAX = 4_294_967_295
const UINT64_MAX = 18_446_744_073_709_551_615n

export class MemcachedRequest implements WordTaker {
  readonly #bound: MessageBound
  readonly #line: WordLine = new WordLine('memcached', LINE_BYTES, this)
  readonly #data = new DataBlock('memcached')
  #phase: 'start' | 'line' | 'data' = 'start'
  #form: MemcachedForm = UNKNOWN
  #name: string | null = null
  #words = 0
  #dataBytes: number | null = null
  #last: string | null = null
  #isQuiet = false

  constructor(bound: MessageBound) {
    this.#bound = bound
  }

  /** What the request is whose end was found. */
  get facts(): Pick<CallerMessage, 'answers' | 'command' | 'isExclusive' | 'isPassing'> {
    const { kind } = this.#form
    const answers = kind === 'exclusive' ? this.#form.answers : this.#isQuiet ? 0 : 1
    const isPassing = kind !== 'exclusive' && this.#isQuiet
    return { answers, command: this.#name, isExclusive: kind === 'exclusive' || isPassing, isPassing }
  }

  /** Index behind the request, or -1 where it goes on. Errors: FRAME_BROKEN, LIMIT_OVERRUN. */
  find(bytes: Uint8Array, to: number): number {
    let index = 0
    if (this.#phase === 'start' && to > 0) this.#begin(bytes[0] ?? 0)
    if (this.#phase === 'line') {
      index = this.#line.find(bytes, index, to)
      if (index === -1) return -1
      this.#endLine(index)
    }
    if (this.#phase === 'data') {
      index = this.#data.find(bytes, index, to)
      if (index === -1) return -1
    } else if (to === 0) return -1
    this.#phase = 'start'
    return index
  }

  takeWord(text: string | null, length: number): void {
    const at = this.#words++
    this.#last = text
    if (length > LIMITS.memcachedKeyBytesMax) throw frameBroken('memcached', 'a word is longer than a key')
    if (at === 0) this.#takeName(text)
    else if (this.#form.kind === 'storage') this.#takeStorageWord(at, text)
    else if (this.#form.kind === 'meta') {
      if (at === this.#form.lengthAt) this.#dataBytes = lengthOf(text)
      if (at >= this.#form.flagsFrom && text?.startsWith('q')) this.#isQuiet = true
      if (at >= LIMITS.memcachedMetaWordsMax) throw frameBroken('memcached', 'a command has too many flags')
    }
  }

  #begin(first: number): void {
    if (first >= 0x80) throw frameBroken('memcached', 'this is not the text protocol')
    this.#line.begin(LIMITS.memcachedLineBytesMax)
    this.#words = 0
    this.#dataBytes = null
    this.#isQuiet = false
    this.#phase = 'line'
  }

  #takeName(text: string | null): void {
    if (text === null || !NAME.test(text)) throw frameBroken('memcached', 'a line begins with no command')
    const form = memcachedForm(text)
    this.#form = form ?? UNKNOWN
    this.#name = form && text
    if (this.#form.kind === 'keys') this.#line.allow(LIMITS.memcachedKeysBytesMax)
  }

  #takeStorageWord(at: number, text: string | null): void {
    if (at === BYTES_AT) this.#dataBytes = lengthOf(text)
    const isRight =
      (at !== FLAGS_AT || (text !== null && WHOLE.test(text) && Number(text) <= UINT32_MAX)) &&
      (at !== EXPTIME_AT || (text !== null && /^-?\d{1,9}$|^1\d{9}$/.test(text))) &&
      (at !== 5 || (this.#isCas ? isUint64(text) : text === 'noreply')) &&
      (at !== 6 || (this.#isCas && text === 'noreply')) &&
      at <= 6
    if (!isRight) throw frameBroken('memcached', 'a command that stores has a word that cannot stand there')
  }

  get #isCas(): boolean {
    return this.#form.kind === 'storage' && this.#form.words === 6
  }

  #endLine(index: number): void {
    const form = this.#form
    if (this.#words === 0) throw frameBroken('memcached', 'a request is empty')
    const isNoreply = this.#last === 'noreply'
    if (form.kind === 'line' && form.noreplyFrom !== null)
      this.#isQuiet = isNoreply && this.#words > form.noreplyFrom
    if (form.kind === 'storage') {
      this.#isQuiet = isNoreply && this.#words === form.words + 1
      if (this.#words !== form.words && !this.#isQuiet)
        throw frameBroken('memcached', 'a command lacks words')
    }
    if (form.kind === 'meta' && form.lengthAt !== null && this.#dataBytes === null)
      throw frameBroken('memcached', 'a command lacks the length of its data')
    if (this.#dataBytes === null) return
    this.#bound.expect(index, this.#dataBytes + DATA_END_BYTES)
    this.#data.begin(this.#dataBytes)
    this.#phase = 'data'
  }
}

function isUint64(text: string | null): boolean {
  return text !== null && /^\d{1,20}$/.test(text) && BigInt(text) <= UINT64_MAX
}

/** Errors: FRAME_BROKEN. */
export function lengthOf(text: string | null): number {
  if (text !== null && WHOLE.test(text) && Number(text) <= LIMITS.memcachedDataBytesMax) return Number(text)
  throw frameBroken('memcached', 'a length is none')
}
