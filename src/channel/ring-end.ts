/**
 * What the two ends of a ring share: the control words, where the bytes lie, and how a counter is read that the other
 * thread wrote.
 *
 * A ring may have a wide memory beside its own, several times as large. The tail's sign says where the bytes between
 * head and tail lie: a counter as it is names the ring's own memory, its complement (~counter) the wide one. So one
 * load tells the consumer both how far the bytes go and where they are. The producer moves only while the ring
 * is empty: no byte is ever in both.
 */
import { invariant, SockpoolError } from '../base/errors.ts'
import type { Tenure } from './tenure.ts'
import type { Words } from './words.ts'

/** Which words of a channel make up one ring. */
export type RingWords = {
  readonly head: number
  readonly tail: number
  readonly want: number
  readonly room: number
}

/** The memory that a ring may move to. Its capacity is a multiple of the ring's own. */
export type WideMemory = {
  readonly capacity: number
  /** Where it lies; asked only while the ring is in it. Null where there is none just now. */
  bytes(): Uint8Array | null
}

const SPAN_MAX = 2 ** 31

/** Where the counters of a ring of this capacity wrap. */
export function counterSpan(capacity: number): number {
  return Math.floor((SPAN_MAX - 1) / capacity) * capacity
}

/** The counter that a tail word holds, whichever memory it names. */
export function tailCounter(word: number): number {
  return word < 0 ? ~word : word
}

/**
 * Takes away the wish of one who blocks on it, and wakes it; one who is about to block finds the word changed and does
 * not. No other wish than the one seen is taken: whoever wishes later looks later, too.
 */
export function withdrawBlocked(words: Words, word: number): void {
  const wish = words.load(word)
  if (wish < 0 && words.compareExchange(word, wish, 0) === wish) words.notify(word)
}

export abstract class RingEnd {
  protected readonly words: Words
  protected readonly at: RingWords
  protected readonly span: number
  /** The memory that this end works in. */
  protected bytes: Buffer
  readonly #own: Buffer
  readonly #wide: WideMemory | null
  readonly #tenure: Tenure
  #isWide = false
  #capacity: number

  constructor(words: Words, at: RingWords, bytes: Uint8Array, wide: WideMemory | null, tenure: Tenure) {
    this.#tenure = tenure
    this.words = words
    this.at = at
    this.#own = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#wide = wide
    this.bytes = this.#own
    this.#capacity = bytes.length
    invariant(wide === null || wide.capacity % bytes.length === 0, 'a wide memory holds whole rings')
    this.span = counterSpan(wide?.capacity ?? bytes.length)
  }

  get capacity(): number {
    return this.#capacity
  }

  /** Whether this end works in the wide memory. */
  get isWide(): boolean {
    return this.#isWide
  }

  /** To be asked before any word or byte is written. Errors: LEASE_GONE, and then nothing is. */
  protected assertTenure(): void {
    if (!this.#tenure.holds) throw new SockpoolError('LEASE_GONE', 'the channel serves somebody else by now')
  }

  /** What to throw where words make no sense: they may be those of another's time, and no fault of the memory. */
  protected corruption(message: string): SockpoolError {
    this.assertTenure()
    return new SockpoolError('CHANNEL_CORRUPT', message)
  }

  /** Works in the memory that a tail word names from now on. */
  protected moveTo(tail: number): void {
    if (tail < 0 === this.#isWide) return
    const bytes = tail < 0 ? this.#wide?.bytes() : this.#own
    if (!bytes) throw this.corruption(`the tail is ${tail}, and there is no wide ring for it`)
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#isWide = tail < 0
    this.#capacity = this.bytes.length
  }

  /** Bytes from counter `from` on to counter `to`, or CHANNEL_CORRUPT where that cannot be. */
  protected distance(from: number, to: number): number {
    const apart = to >= from ? to - from : to - from + this.span
    const inRange = from >= 0 && to >= 0 && from < this.span && to < this.span && apart <= this.#capacity
    if (!inRange) throw this.corruption(`ring counters ${from} and ${to} cannot be`)
    return apart
  }

  protected advance(counter: number, count: number): number {
    const next = counter + count
    return next >= this.span ? next - this.span : next
  }

  /** Up to two pieces of the ring that hold `count` bytes from a counter on. */
  protected pieces(from: number, count: number): Buffer[] {
    if (count === 0) return []
    const start = from % this.#capacity
    const end = start + count
    if (end <= this.#capacity) return [this.bytes.subarray(start, end)]
    return [this.bytes.subarray(start), this.bytes.subarray(0, end - this.#capacity)]
  }

  /** Bytes that the other end may wish for, by a look at where it stands. */
  protected abstract get offered(): number

  /** Takes a wish away if it is fulfilled; true where its owner's doorbell is to be rung. */
  protected fulfil(word: number): boolean {
    const wish = this.words.load(word)
    // A wish may be older than the memory it is judged by: all that there can be fulfils it.
    if (wish === 0 || this.offered < Math.min(Math.abs(wish), this.#capacity)) return false
    const taken = this.words.exchange(word, 0)
    if (taken < 0) this.words.notify(word)
    return taken > 0
  }
}

/** Of so few bytes the call alone takes longer than a loop over them. */
const LOOP_BYTES_MAX = 64

/** Copies without a view of either side: a view costs more than a small copy. */
export function copyBytes(from: Uint8Array, to: Buffer, at: number, start: number, end: number): void {
  if (end - start > LOOP_BYTES_MAX) Buffer.prototype.copy.call(from, to, at, start, end)
  else for (let index = start; index < end; index++) to[at + index - start] = from[index] as number
}
