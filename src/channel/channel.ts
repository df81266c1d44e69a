/**
 * A channel: the shared memory of one connection. Two rings and their control words, one word per cache line:
 *
 *   line  word         written by            meaning
 *   0     inHead       holder                inbound ring: bytes given back
 *   1     inTail       I/O worker            inbound ring: bytes received
 *   2     inWant       holder (±)            wakes the holder at so many readable bytes
 *   3     inRoom       I/O worker            wakes the I/O worker at so many free bytes
 *   4     inEnd        I/O worker, pool      settled once: 0 open, else how the inbound direction ended (END)
 *   5     outHead      I/O worker            outbound ring: bytes that the kernel has taken
 *   6     outTail      holder                outbound ring: bytes accepted for sending
 *   7     outWant      I/O worker            wakes the I/O worker when there is something to send
 *   8     outRoom      holder (±)            wakes the holder at so many free bytes
 *   9     outEnd       holder, pool          flags (SHUT): what follows the last byte; the strongest counts
 *   10    closed       I/O worker            settled once: 0, else the socket is gone, and how it ended (END)
 *   11    epoch        pool thread           counts on, for ever: odd while leased, even between leases
 *   12    checked      I/O worker            what it found at the release that ended an epoch (CHECK)
 *   13    generation   pool thread           counts the connections that this channel has served
 *   14    holder       pool thread           whose doorbell hears of bytes: 0 = the pool's, n = attached thread n; -1 = it is
 *                                            the pool's, and the epoch began for a probe
 *   15    inWide       I/O worker            inbound ring: 0, or 1 + the number of the wide ring that it may move to
 *
 * The holder is the thread that has the lease; between leases it is the pool thread. A parse worker to which the
 * reading end is lent is the holder of the `in` words meanwhile. A blocked holder waits on `inWant` itself. For an
 * I/O worker that has died the pool writes `closed`.
 */
import { invariant } from '../base/errors.ts'
import { raise, settle } from './monotone.ts'
import { RingConsumer, RingProducer } from './ring.ts'
import { counterSpan, type RingWords, tailCounter, withdrawBlocked } from './ring-end.ts'
import { RingMeter } from './ring-meter.ts'
import { type Tenure, WordTenure } from './tenure.ts'
import {
  CHECK,
  CHECK_BITS,
  CHECK_NAMES,
  type CheckName,
  END,
  END_NAMES,
  type EndName,
  SHUT,
  SHUT_BY_STRENGTH,
  SHUT_RESET,
  type ShutName,
} from './values.ts'
import { WideClaim, type WidePlace } from './wide-rings.ts'
import { LINE_BYTES, LINE_SLOTS, SharedWords, type Words, wordsOf } from './words.ts'

export const IN: RingWords = { head: 0, tail: 1, want: 2, room: 3 }
export const OUT: RingWords = { head: 5, tail: 6, want: 7, room: 8 }
const IN_END = 4
const OUT_END = 9
const CLOSED = 10
const EPOCH = 11
const CHECKED = 12
const GENERATION = 13
const HOLDER = 14
const IN_WIDE = 15
const WORDS = 16
/** In the holder's word. */
const PROBE = -1

export const CONTROL_BYTES: number = WORDS * LINE_SLOTS * Int32Array.BYTES_PER_ELEMENT

/** Where a channel lies. Plain data: it crosses threads by structured clone, the buffer itself is shared. */
export type ChannelMemory = {
  readonly slab: SharedArrayBuffer
  /** Byte offsets in the slab. */
  readonly control: number
  readonly inbound: number
  readonly outbound: number
  readonly inboundBytes: number
  readonly outboundBytes: number
  /** The wide rings of the slab, where it has some. */
  readonly wide: WidePlace | null
  /** The channel's number in every doorbell of its pool. */
  readonly number: number
}

function controlWords({ slab, control }: ChannelMemory): SharedWords {
  const isWithin = control >= 0 && control % LINE_BYTES === 0 && control + CONTROL_BYTES <= slab.byteLength
  invariant(isWithin, 'the control words of a channel lie in its slab')
  return new SharedWords(wordsOf(slab), control / Int32Array.BYTES_PER_ELEMENT, LINE_SLOTS)
}

export class Channel {
  readonly number: number
  readonly words: Words
  readonly #memory: ChannelMemory
  readonly #wide: WideClaim | null
  /** Of the rings, each made for its first end: a lease has ends of its own. */
  #inBytes: Buffer | null = null
  #outBytes: Buffer | null = null

  /** `words`: how the control words are reached; default: by Atomics, where they lie in the slab. */
  constructor(memory: ChannelMemory, words: Words = controlWords(memory)) {
    this.#memory = memory
    this.number = memory.number
    this.words = words
    this.#wide = memory.wide && new WideClaim(this.words, IN_WIDE, memory.slab, memory.wide)
  }

  get memory(): ChannelMemory {
    return this.#memory
  }

  /** The time of the lease that the epoch counts now; for its holder's ends. */
  leaseTenure(epoch: number): Tenure {
    return new WordTenure(this.words, EPOCH, epoch)
  }

  /** The time of the connection that the channel serves now; for its I/O worker's ends. */
  connectionTenure(generation: number): Tenure {
    return new WordTenure(this.words, GENERATION, generation)
  }

  inboundProducer(tenure: Tenure): RingProducer {
    return new RingProducer(this.words, IN, this.#inbound(), this.#wide, tenure)
  }

  inboundConsumer(tenure: Tenure): RingConsumer {
    return new RingConsumer(this.words, IN, this.#inbound(), this.#wide, tenure)
  }

  /** I/O worker only: makes sure of a wide ring to move to; false where none is free, or the slab has none. */
  claimWide(): boolean {
    return this.#wide?.claim() ?? false
  }

  /** Gives the wide ring up, once neither end nor the kernel is to touch it again. */
  leaveWide(): void {
    this.#wide?.leave()
  }

  /** Blocks this thread until the inbound wish it has stored to block on is fulfilled, or time is up. */
  waitInbound(timeoutMs: number): void {
    const wish = this.words.load(IN.want)
    if (wish < 0) this.words.wait(IN.want, wish, timeoutMs)
  }

  /**
   * As `waitInbound`, for a thread that must not block: resolves when the wish is fulfilled or was taken away; null where
   * it is neither any more. The wish is one to block on, as it is this word that is notified.
   */
  inboundServed(): Promise<unknown> | null {
    const wish = this.words.load(IN.want)
    return wish < 0 ? this.words.waitAsync(IN.want, wish) : null
  }

  /** Blocks this thread until the outbound wish it has stored to block on is fulfilled, or time is up. */
  waitOutbound(timeoutMs: number): void {
    const wish = this.words.load(OUT.room)
    if (wish < 0) this.words.wait(OUT.room, wish, timeoutMs)
  }

  outboundProducer(tenure: Tenure): RingProducer {
    return new RingProducer(this.words, OUT, this.#outbound(), null, tenure)
  }

  outboundConsumer(tenure: Tenure): RingConsumer {
    return new RingConsumer(this.words, OUT, this.#outbound(), null, tenure)
  }

  get inEnd(): keyof typeof END {
    return END_NAMES[this.words.load(IN_END)] ?? 'reset'
  }

  /** The first end stays: what came later is a consequence of it. */
  endInbound(how: EndName): void {
    settle(this.words, IN_END, END[how])
    this.wakeBlocked()
  }

  get closed(): keyof typeof END {
    return END_NAMES[this.words.load(CLOSED)] ?? 'reset'
  }

  /** The socket is gone: for the I/O worker to say, or for the pool once that worker is dead. */
  close(how: EndName): void {
    settle(this.words, CLOSED, END[how])
    this.wakeBlocked()
  }

  get shut(): keyof typeof SHUT {
    const flags = this.words.load(OUT_END)
    return flags === 0 ? 'open' : (SHUT_BY_STRENGTH.find(how => (flags & SHUT[how]) !== 0) ?? 'abort')
  }

  /** Whether the peer is to see a reset. */
  get asksReset(): boolean {
    return (this.words.load(OUT_END) & SHUT_RESET) !== 0
  }

  /** `reset` is an abort that the peer cannot take for an end. */
  requestShut(how: ShutName | 'reset'): void {
    raise(this.words, OUT_END, how === 'reset' ? SHUT.abort | SHUT_RESET : SHUT[how])
  }

  get epoch(): number {
    return this.words.load(EPOCH)
  }

  get isLeased(): boolean {
    return (this.epoch & 1) === 1
  }

  /** Pool thread only: begins a lease (odd) or ends it (even), and with it the tenure of all its ends. */
  advanceEpoch(): number {
    const next = (this.epoch + 1) | 0
    this.words.store(EPOCH, next)
    return next
  }

  /**
   * Pool thread only, between leases: asks the I/O worker for a probe, as a lease that begins and ends at once; the epoch
   * that begins by it. The holder's word tells it from a release. It is stored before the epoch, so that whoever sees the
   * one sees the other, and the next lease stores its own.
   */
  askProbe(): number {
    this.setHolder(PROBE)
    this.advanceEpoch()
    return this.advanceEpoch()
  }

  /** Whether the last release was none, but asks for a probe. */
  get isProbed(): boolean {
    return this.holder === PROBE
  }

  /** The number of the attached thread whose doorbell hears of bytes; 0 and below is the pool's. */
  get holder(): number {
    return this.words.load(HOLDER)
  }

  /** Pool thread only, between leases. */
  setHolder(holder: number): void {
    this.words.store(HOLDER, holder)
  }

  /**
   * What a holder on another thread does, as far as its words tell: whether it waits for bytes, or blocks for room, and a
   * number that changes with every byte it moves, or has had sent. A wish for the doorbell about room may be its queue's,
   * which nobody waits for, so that such a wish says nothing.
   */
  get activity(): { readonly waits: boolean; readonly bytes: number } {
    const { words } = this
    return {
      waits: words.load(IN.want) !== 0 || words.load(OUT.room) < 0,
      // Weighed apart, or a wrap of one counter could outweigh what the other moved.
      bytes: words.load(IN.head) + (words.load(OUT.tail) + words.load(OUT.head)) * 2 ** 21,
    }
  }

  /** Counts from now on what a holder on another thread has taken in, and given out. */
  meters(): { readonly taken: RingMeter; readonly given: RingMeter } {
    const { inboundBytes, outboundBytes, wide } = this.#memory
    return {
      taken: new RingMeter(this.words, IN.head, counterSpan(wide?.ringBytes ?? inboundBytes)),
      given: new RingMeter(this.words, OUT.tail, counterSpan(outboundBytes)),
    }
  }

  /** Bytes that lie in each ring, as far as another thread can see at once. */
  get occupancy(): { readonly inbound: number; readonly outbound: number } {
    const { inboundBytes, outboundBytes, wide } = this.#memory
    const inbound = this.#held(IN, wide?.ringBytes ?? inboundBytes)
    return { inbound, outbound: this.#held(OUT, outboundBytes) }
  }

  #held(ring: RingWords, bytesMax: number): number {
    // The head first: what is taken and put in meanwhile looks like more, and never like less than nothing.
    const head = this.words.load(ring.head)
    const held = tailCounter(this.words.load(ring.tail)) - head
    return Math.min(held < 0 ? held + counterSpan(bytesMax) : held, bytesMax)
  }

  /** Whether bytes have come that nobody has read; true of a connection that was greeted and never leased. */
  get hasUnread(): boolean {
    const tail = this.words.load(IN.tail)
    return (tail < 0 ? tailCounter(tail) : tail) !== this.words.load(IN.head)
  }

  /** What the I/O worker found at the release that began this even epoch; `none` until it has looked. */
  checkedAt(epoch: number): keyof typeof CHECK {
    const word = this.words.load(CHECKED)
    if (word >> CHECK_BITS !== (epoch << CHECK_BITS) >> CHECK_BITS) return 'none'
    return CHECK_NAMES[word & ((1 << CHECK_BITS) - 1)] ?? 'error'
  }

  /** I/O worker only. */
  setChecked(epoch: number, found: CheckName): void {
    this.words.store(CHECKED, (epoch << CHECK_BITS) | CHECK[found])
  }

  /**
   * I/O worker only, on an idle channel whose rings are empty: lets the counters skip to the start of the ring, so
   * that small exchanges touch its first pages only.
   */
  rewind(): void {
    this.#rewind(IN, this.#memory.inboundBytes, this.#wide)
    this.#rewind(OUT, this.#memory.outboundBytes, null)
  }

  #rewind(ring: RingWords, ownBytes: number, wide: WideClaim | null): void {
    const tail = this.words.load(ring.tail)
    const isWide = wide !== null && tail < 0
    const capacity = isWide ? wide.capacity : ownBytes
    const start = isWide ? tailCounter(tail) : tail
    const next = start % capacity === 0 ? start : start + capacity - (start % capacity)
    const wrapped = next < 0 || next >= counterSpan(wide?.capacity ?? ownBytes) ? 0 : next
    this.words.store(ring.head, wrapped)
    this.words.store(ring.tail, isWide ? ~wrapped : wrapped)
  }

  get generation(): number {
    return this.words.load(GENERATION)
  }

  /** Slab owner only: makes the channel as new for the next connection. The epoch counts on: no end outlives it. */
  reset(): void {
    this.words.store(GENERATION, (this.generation + 1) | 0)
    // Ends that were made between two leases are over too.
    this.words.store(EPOCH, ((this.epoch | 1) + 1) | 0)
    this.words.store(IN.tail, tailCounter(this.words.load(IN.tail)))
    this.rewind()
    for (const word of [IN.want, IN.room, IN_END, OUT.want, OUT.room, OUT_END, CLOSED, HOLDER])
      this.words.store(word, 0)
  }

  /**
   * Wakes whoever blocks on a wish, to look again. It would sleep through an end, which publishes no bytes, or through
   * a recall. What it is to see is said before this.
   */
  wakeBlocked(): void {
    for (const word of [IN.want, OUT.room]) withdrawBlocked(this.words, word)
  }

  #inbound(): Buffer {
    const { slab, inbound, inboundBytes } = this.#memory
    this.#inBytes ??= Buffer.from(slab, inbound, inboundBytes)
    return this.#inBytes
  }

  #outbound(): Buffer {
    const { slab, outbound, outboundBytes } = this.#memory
    this.#outBytes ??= Buffer.from(slab, outbound, outboundBytes)
    return this.#outBytes
  }
}
