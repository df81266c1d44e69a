/**
 * The front of a stream: what each kind of read makes of the bytes that are there. A call is an attempt; it either
 * takes its bytes, throws, or returns how many must be there before it is worth trying again, and then it has
 * taken nothing. All of it happens within the call, so that no other read can come between a look and a taking.
 *
 * The end is always read before `available`: the bytes that precede an end are published before it.
 */

import { END_LIMITS } from '../../base/end-limits.ts'
import { IncompleteReadError, LimitOverrunError, SockpoolError } from '../../base/errors.ts'
import { typeFault } from '../../base/options.ts'
import { type ByteSource, endingOf, isFinal, type StreamEnd, type StreamEnding } from '../byte-source.ts'
import { frontBytes } from './front-bytes.ts'
import type { OnReset, ReadOptions } from './read-options.ts'
import type { SeparatorMatch, SeparatorSearch } from './separator-search.ts'

/** What becomes of an overlong line: `keep` leaves it, `drop` takes what is there of it, `discard` all of it. */
export type Overlong = 'keep' | 'drop' | 'discard'

const EMPTY: Buffer = Buffer.alloc(0)
const LF = 0x0a

export class BufferedReads {
  readonly #source: ByteSource
  readonly #onReset: OnReset
  readonly #onTaken: () => void
  #taken = 0
  /** Of the available bytes the first so many were taken before, and put back. */
  #returned = 0
  #changes = 0
  /** The front lies in an overlong line that was reported; this finds its end. */
  #rest: SeparatorSearch | null = null

  /** `onTaken` is called after bytes were removed. */
  constructor(source: ByteSource, onReset: OnReset, onTaken: () => void = () => {}) {
    this.#source = source
    this.#onReset = onReset
    this.#onTaken = onTaken
  }

  get taken(): number {
    return this.#taken
  }

  /** Bytes that reads have taken for the first time: what was put back and is read again counts once. */
  get seen(): number {
    return this.#taken + this.#returned
  }

  /** How often the bytes to come may have become others: some were put back, or another reader had the source. */
  get changes(): number {
    return this.#changes
  }

  get isAtEof(): boolean {
    return isFinal(this.#source.end) && this.#source.available === 0
  }

  /** How the stream ended, while bytes are buffered too; null while it is open. */
  get ending(): StreamEnding | null {
    return endingOf(this.#source.end)
  }

  get error(): Error | null {
    const end = this.#source.end
    return end?.kind === 'failed' ? end.error : null
  }

  /** Another reader took so many bytes from the source. */
  count(bytes: number): void {
    this.#changes += 1
    this.#taken += bytes
    this.#returned = Math.max(0, this.#returned - bytes)
    this.#rest = null
  }

  /** Bytes become the first again. What is left of an overlong line that was reported is then bytes like others. */
  putBack(bytes: Uint8Array): void {
    const { error } = this
    if (error) this.assertServed(true, error, {})
    const { length } = bytes
    if (length > this.#taken)
      throw new SockpoolError('INVALID_REQUEST', `unread(): ${length} bytes, but ${this.#taken} were read`)
    const most = END_LIMITS.unreadBytesMax
    if (this.#returned + length > most)
      throw new SockpoolError('QUEUE_FULL', `unread(): more than ${most} bytes would be put back`)
    this.#source.putBack(bytes)
    this.#changes += 1
    this.#taken -= length
    this.#returned += length
    this.#rest = null
  }

  /** A copy of at most `max` of the available bytes that come after the first `skip`. */
  look(skip: number, max: number): Buffer {
    const count = Math.min(max, Math.max(0, this.#source.available - skip))
    return frontBytes(this.#source.views(), count, skip)
  }

  /** What a look ahead waits for, in the form of an attempt: more than `count` bytes, or the end. */
  past(count: number): Buffer | number {
    const end = this.#source.end
    return end !== null || this.#source.available > count ? EMPTY : count + 1
  }

  /** Removes the first `count` of the available bytes. */
  skip(count: number): void {
    this.#rest = null
    this.#drop(count)
  }

  none(options: ReadOptions): Buffer {
    const { error } = this
    if (error) this.assertServed(true, error, options)
    return EMPTY
  }

  upTo(n: number, options: ReadOptions): Buffer | number {
    const end = this.#source.end
    const available = this.#source.available
    if (end?.kind === 'failed') this.assertServed(available > 0, end.error, options)
    if (available > 0) return this.take(Math.min(n, available))
    return end === null ? 1 : EMPTY
  }

  /** As `upTo`, into the target: the part of it that was filled. */
  into(target: Buffer, options: ReadOptions): Buffer | number {
    const end = this.#source.end
    const available = this.#source.available
    if (end?.kind === 'failed') this.assertServed(available > 0, end.error, options)
    if (target.length === 0) throw typeFault('readInto(): the target was detached')
    if (available === 0) return end === null ? 1 : EMPTY
    const filled = available < target.length ? target.subarray(0, available) : target
    this.#source.takeInto(filled)
    this.#rest = null
    this.#moved(filled.length)
    return filled
  }

  exactly(n: number, options: ReadOptions): Buffer | number {
    const end = this.#source.end
    const available = this.#source.available
    if (end?.kind === 'failed') this.assertServed(available >= n, end.error, options)
    if (available >= n) return this.take(n)
    if (end === null) return n
    throw new IncompleteReadError(this.take(available), n)
  }

  toEnd(options: ReadOptions): Buffer | number {
    const end = this.#source.end
    const available = this.#source.available
    if (end?.kind === 'failed') this.assertServed(available > 0, end.error, options)
    const { limit } = options
    if (limit !== undefined && available > limit)
      throw new LimitOverrunError(`more than ${limit} bytes came before EOF`, limit)
    return end === null ? available + 1 : this.take(available)
  }

  peek(n: number, options: ReadOptions): Buffer | number {
    const end = this.#source.end
    const available = this.#source.available
    if (end?.kind === 'failed') this.assertServed(available >= n, end.error, options)
    if (available < n && end === null) return n
    return n === 0 ? EMPTY : frontBytes(this.#source.views(), Math.min(n, available))
  }

  /** `search` must be the one of this read alone; it is restarted by whoever takes bytes meanwhile. */
  until(search: SeparatorSearch, overlong: Overlong, options: ReadOptions): Buffer | number {
    const end = this.#source.end
    if (end?.kind === 'failed') this.assertServed(this.#source.available > 0, end.error, options)
    const unended = this.#rest === null ? null : this.#dropRest(this.#rest)
    if (unended !== null) return this.#needMore(end, unended)
    const available = this.#source.available
    const match = available === 0 ? null : search.find(this.#source.views(), available)
    const overrun = search.overrunOf(match)
    if (overrun) {
      if (overlong !== 'keep') this.#drop(match?.end ?? overrun.consumed)
      if (overlong === 'discard' && match === null) this.#rest = search.unbounded()
      throw overrun
    }
    return match ? this.take(match.end) : this.#needMore(end, available)
  }

  /** A line that can be had by the source's short cut, or null. */
  shortLine(limit: number): Buffer | null {
    if (this.#rest !== null) return null
    const line = this.#source.takeThrough?.(LF, limit) ?? null
    if (line !== null) this.#moved(line.length)
    return line
  }

  /** As `shortLine`, for as many in a row as can be had so, at most `count`. */
  shortLines(limit: number, count: number): Buffer[] {
    const lines = this.#rest === null ? (this.#source.takeEachThrough?.(LF, limit, count) ?? []) : []
    let bytes = 0
    for (const { length } of lines) bytes += length
    if (bytes > 0) this.#moved(bytes)
    return lines
  }

  /** As `until`, but at EOF what is left. */
  line(search: SeparatorSearch, overlong: Overlong, options: ReadOptions): Buffer | number {
    try {
      return this.until(search, overlong, options)
    } catch (error) {
      if (error instanceof IncompleteReadError) return error.partial
      throw error
    }
  }

  /** Throws the error of a stream that broke, unless a read is served first by what is there. */
  assertServed(isServed: boolean, error: Error, options: ReadOptions): void {
    if (!isServed || (options.onReset ?? this.#onReset) === 'raise') throw error
  }

  /** Takes the first `count` bytes, which must be there. */
  take(count: number): Buffer {
    if (count === 0) return EMPTY
    const bytes = this.#source.take(count)
    this.#rest = null
    this.#moved(count)
    return bytes
  }

  /** Whether there is a whole line. */
  get hasLine(): boolean {
    for (const view of this.#source.views()) if (Buffer.prototype.includes.call(view, LF)) return true
    return false
  }

  /**
   * The first `looked` bytes do not end the read: how many may, or the end that came instead. It must be what the
   * search has seen: bytes that come from another thread meanwhile would be asked for twice, and slept on.
   */
  #needMore(end: StreamEnd | null, looked: number): number {
    if (end === null) return looked + 1
    if (end.kind === 'failed') throw end.error
    if (this.#rest === null) throw new IncompleteReadError(this.take(looked), null)
    // What is left belongs to the line that was reported.
    this.#drop(looked)
    this.#rest = null
    throw new IncompleteReadError(EMPTY, null)
  }

  /** Drops what is there of the overlong line; how many bytes that leaves looked at, or null once it has ended. */
  #dropRest(rest: SeparatorSearch): number | null {
    const available = this.#source.available
    rest.restart()
    const match: SeparatorMatch | null = available === 0 ? null : rest.find(this.#source.views(), available)
    const count = match?.end ?? rest.cleared
    this.#drop(count)
    if (match === null) return available - count
    this.#rest = null
    return null
  }

  #drop(count: number): void {
    if (count === 0) return
    this.#source.skip(count)
    this.#moved(count)
  }

  #moved(count: number): void {
    this.#returned -= Math.min(count, this.#returned)
    this.#taken += count
    this.#onTaken()
  }
}
