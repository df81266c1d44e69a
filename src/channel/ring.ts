/**
 * A byte ring for one producer and one consumer on two threads; the role is the class.
 *
 *          head             tail
 *   ────────┬────────────────┬──────────────   capacity bytes, used round and round
 *    free   │ readable       │ free
 *   ────────┴────────────────┴──────────────
 *
 * `tail` is written by the producer alone, `head` by the consumer alone. Both are counters that grow and wrap at
 * `span`, the largest multiple of the capacity below 2^31; the place in the ring is the counter modulo the
 * capacity.
 *
 * Waking. `want` holds what the consumer waits for, `room` what the producer waits for: 0 nothing, +n "ring my
 * doorbell once n bytes are readable (free)", −n "I block on this very word, notify it". The one who waits stores
 * its wish and then looks at the other's counter again; the one who publishes stores its counter and then looks
 * at the wish. So one of the two always sees the other, and no wake-up is lost. Whoever fulfils a wish takes it
 * away by exchange, so a wish rings once.
 *
 * Either end writes words and bytes only while its tenure holds (LEASE_GONE); it may look whenever it likes. Bytes
 * that were looked at are the end's own once they are consumed, not before: that is when its tenure is asked about.
 *
 * Words of the other side are loaded once, range-checked, then used; a word that is out of range, or that takes back
 * what an earlier look has shown, is CHANNEL_CORRUPT.
 */
import { invariant } from '../base/errors.ts'
import { copyBytes, RingEnd, type RingWords, tailCounter, type WideMemory } from './ring-end.ts'
import { ENDLESS, type Tenure } from './tenure.ts'
import type { Words } from './words.ts'

export class RingProducer extends RingEnd {
  #tail: number
  /** The head as it was last seen; it has only moved on since, so what it says to be free is free. */
  #seenHead: number

  constructor(
    words: Words,
    at: RingWords,
    bytes: Uint8Array,
    wide: WideMemory | null = null,
    tenure: Tenure = ENDLESS,
  ) {
    super(words, at, bytes, wide, tenure)
    const tail = words.load(at.tail)
    this.moveTo(tail)
    this.#tail = tailCounter(tail)
    // As if the ring were full: the first use looks.
    this.#seenHead =
      this.#tail < this.capacity ? this.#tail - this.capacity + this.span : this.#tail - this.capacity
  }

  /** Bytes that can be written now. */
  get free(): number {
    return this.capacity - this.pending
  }

  protected get offered(): number {
    return this.pending
  }

  /** Bytes that the consumer has not given back. */
  get pending(): number {
    return this.#look()
  }

  /** As `pending`, by the last look: no fewer than there are. */
  get pendingMost(): number {
    return this.distance(this.#seenHead, this.#tail)
  }

  /** Free bytes, `count` of them at the most. Looks at the other side only where its last look does not tell. */
  freeUpTo(count: number): number {
    const seen = this.capacity - this.distance(this.#seenHead, this.#tail)
    return Math.min(count, seen >= count ? seen : this.free)
  }

  #look(): number {
    const head = this.words.load(this.at.head)
    const pending = this.distance(head, this.#tail)
    const most = this.distance(this.#seenHead, this.#tail)
    if (pending > most) throw this.corruption(`${pending} bytes are pending, and ${most} were before`)
    this.#seenHead = head
    return pending
  }

  /** Free bytes in one piece after the tail, `max` at the most, to be filled in place; empty when the ring is full. */
  reserve(max: number): Buffer {
    this.assertTenure()
    const start = this.#tail % this.capacity
    return this.bytes.subarray(start, Math.min(start + this.freeUpTo(max), this.capacity))
  }

  /** Whether a buffer from an earlier `reserve` still begins at the tail. */
  isAtTail(piece: Uint8Array): boolean {
    return (
      piece.buffer === this.bytes.buffer &&
      piece.byteOffset === this.bytes.byteOffset + (this.#tail % this.capacity)
    )
  }

  /** Makes the first `count` reserved bytes readable; true where the consumer's doorbell is to be rung. */
  publish(count: number): boolean {
    this.assertTenure()
    if (this.freeUpTo(count) < count) invariant(false, `published ${count} bytes into ${this.free} free ones`)
    this.#tail = this.advance(this.#tail, count)
    this.words.store(this.at.tail, this.isWide ? ~this.#tail : this.#tail)
    return this.fulfil(this.at.want)
  }

  /** Moves to the wide memory, or back. Only while nothing is pending; a wish is answered by what comes next. */
  move(where: 'wide' | 'own'): void {
    this.assertTenure()
    const { pending } = this
    if (pending > 0) invariant(false, `moved a ring with ${pending} bytes in it`)
    const tail = where === 'wide' ? ~this.#tail : this.#tail
    this.moveTo(tail)
    this.words.store(this.at.tail, tail)
  }

  /** Copies as much of the first `length` bytes as fits behind the tail, unpublished; `publish` it afterwards. */
  fill(chunk: Uint8Array, length: number = chunk.length): number {
    this.assertTenure()
    const count = this.freeUpTo(length)
    const start = this.#tail % this.capacity
    const first = Math.min(count, this.capacity - start)
    copyBytes(chunk, this.bytes, start, 0, first)
    if (first < count) copyBytes(chunk, this.bytes, 0, first, count)
    return count
  }

  /** Wishes for `count` free bytes; false, and no wish, where they are free already. */
  wishRoom(count: number, how: 'bell' | 'block' = 'bell'): boolean {
    this.assertTenure()
    const wanted = Math.min(count, this.capacity)
    this.words.store(this.at.room, how === 'bell' ? wanted : -wanted)
    if (this.free < wanted) return true
    this.words.exchange(this.at.room, 0)
    return false
  }

  /** For one who blocks until the channel ends: a wish that is fulfilled at the earliest when the ring is empty. */
  wishEnd(): void {
    this.assertTenure()
    this.words.store(this.at.room, -(this.capacity + 1))
  }

  withdrawRoom(): void {
    this.assertTenure()
    this.words.store(this.at.room, 0)
  }

  /** The consumer waits for more than is there. */
  get isAwaited(): boolean {
    return this.words.load(this.at.want) !== 0
  }
}

export class RingConsumer extends RingEnd {
  #head: number
  /** The tail as it was last seen; it has only moved on since, so what it says to be there is there. */
  #seenTail: number

  constructor(
    words: Words,
    at: RingWords,
    bytes: Uint8Array,
    wide: WideMemory | null = null,
    tenure: Tenure = ENDLESS,
  ) {
    super(words, at, bytes, wide, tenure)
    this.#head = words.load(at.head)
    this.#seenTail = this.#head
  }

  /**
   * Bytes that are there, by a new look. The last look's are among them: a tail that falls back, even before the head,
   * would make negative counts, and those counts views of the ring's other bytes.
   */
  get readable(): number {
    const word = this.words.load(this.at.tail)
    this.moveTo(word)
    const tail = tailCounter(word)
    const held = this.distance(this.#head, tail)
    const least = this.distance(this.#head, this.#seenTail)
    if (held < least) throw this.corruption(`${held} bytes are there, and ${least} were before`)
    this.#seenTail = tail
    return held
  }

  protected get offered(): number {
    return this.capacity - this.readable
  }

  /** The readable bytes in at most two pieces, in place. They stay valid until `consume`. */
  views(): Buffer[] {
    return this.pieces(this.#head, this.readable)
  }

  /** The readable bytes that lie in one piece, in place. */
  first(): Buffer {
    const start = this.#head % this.capacity
    return this.bytes.subarray(start, Math.min(start + this.readable, this.capacity))
  }

  /** Copies the first `target.length` readable bytes into `target`; they stay readable. */
  copy(target: Buffer): void {
    const start = this.#head % this.capacity
    const first = Math.min(target.length, this.capacity - start)
    copyBytes(this.bytes, target, 0, start, start + first)
    if (first < target.length) copyBytes(this.bytes, target, first, 0, target.length - first)
  }

  /** Moves past `count` bytes; true where the producer's doorbell is to be rung. */
  consume(count: number): boolean {
    this.assertTenure()
    if (count > this.distance(this.#head, this.#seenTail) && count > this.readable)
      invariant(false, `consumed ${count} of ${this.readable} readable bytes`)
    if (count <= 0) return false
    this.#head = this.advance(this.#head, count)
    this.words.store(this.at.head, this.#head)
    return this.fulfil(this.at.room)
  }

  /** Wishes for `count` readable bytes; false, and no wish, where they are readable already. */
  wish(count: number, how: 'bell' | 'block' = 'bell'): boolean {
    this.assertTenure()
    const wanted = Math.min(count, this.capacity)
    this.words.store(this.at.want, how === 'bell' ? wanted : -wanted)
    // The look may find the ring in a smaller memory, where a full ring is all that can be wished for.
    if (this.readable < Math.min(wanted, this.capacity)) return true
    this.words.exchange(this.at.want, 0)
    return false
  }

  withdrawWish(): void {
    this.assertTenure()
    this.words.store(this.at.want, 0)
  }

  /**
   * After a `wish`: a producer that waits for much room would wait for ever, as this side gives back none before it has
   * more bytes. Takes the wish for room away; true where the producer's doorbell is to be rung.
   */
  hurry(): boolean {
    if (this.words.load(this.at.room) === 0) return false
    this.assertTenure()
    const taken = this.words.exchange(this.at.room, 0)
    if (taken < 0) this.words.notify(this.at.room)
    return taken > 0
  }
}
