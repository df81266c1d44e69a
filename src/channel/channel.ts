/**
 * A channel: the shared memory of one connection. Two rings and their control words, one word per cache line:
 *
 *   line  word         written by            meaning
 *   0     inHead       holder                inbound ring: bytes given back
 *   1     inTail       I/O worker            inbound ring: bytes received
 *   2     inWant       holder (±)            wakes the holder at so many readable bytes
 *   3     inRoom       I/O worker            wakes the I/O worker at so many free bytes
 *   4     inEnd        I/O worker            0 open, else how the inbound direction ended (END)
 *   5     outHead      I/O worker            outbound ring: bytes that the kernel has taken
 *   6     outTail      holder                outbound ring: bytes accepted for sending
 *   7     outWant      I/O worker            wakes the I/O worker when there is something to send
 *   8     outRoom      holder (±)            wakes the holder at so many free bytes
 *   9     outEnd       holder                0 open, else what follows the last byte (SHUT)
 *   10    closed       I/O worker, pool      0 alive, else how the connection ended (END)
 *   11    epoch        pool thread           odd while leased, even between leases; 0 = never leased
 *   12    verdict      I/O worker            what it found at release (0 = still looking)
 *   13    generation   pool thread           counts the connections that this channel has served
 *   14    holder       pool thread           whose doorbell hears of bytes: 0 = the pool's, n = attached thread n
 *   15    inWide       I/O worker            inbound ring: 0, or 1 + the number of the wide ring that it may move to
 *
 * The holder is the thread that has the lease; between leases it is the pool thread. A parse worker to which the
 * reading end is lent is the holder of the `in` words meanwhile. A blocked holder waits on `inWant` itself.
 */
import { RingConsumer, RingProducer } from './ring.ts'
import { counterSpan, type RingWords, tailCounter } from './ring-end.ts'
import { WideClaim, type WidePlace } from './wide-rings.ts'
import { LINE_SLOTS, SharedWords } from './words.ts'

export const IN: RingWords = { head: 0, tail: 1, want: 2, room: 3 }
export const OUT: RingWords = { head: 5, tail: 6, want: 7, room: 8 }
const IN_END = 4
const OUT_END = 9
const CLOSED = 10
const EPOCH = 11
const VERDICT = 12
const GENERATION = 13
const HOLDER = 14
const IN_WIDE = 15
const WORDS = 16

export const CONTROL_BYTES: number = WORDS * LINE_SLOTS * Int32Array.BYTES_PER_ELEMENT

/** How a direction or a connection ended. */
export const END = {
  open: 0,
  fin: 1,
  closed: 2,
  reset: 3,
  timedOut: 4,
  tls: 5,
  workerLost: 6,
  killed: 7,
  poisoned: 8,
  corrupt: 9,
  expired: 10,
} as const
export type EndName = Exclude<keyof typeof END, 'open'>
const END_NAMES = Object.keys(END) as Array<keyof typeof END>

/** What the holder asks of the outbound direction once its last byte is sent. Only ever rises. */
export const SHUT = { open: 0, finish: 1, close: 2, abort: 3 } as const
export type ShutName = Exclude<keyof typeof SHUT, 'open'>
const SHUT_NAMES = Object.keys(SHUT) as Array<keyof typeof SHUT>

/** What the I/O worker found when a lease came back. */
export const VERDICT_CODES = {
  none: 0,
  clean: 1,
  unsent: 2,
  unread: 3,
  half_closed: 4,
  error: 5,
  dialog_failed: 6,
  poisoned: 7,
} as const
export type VerdictName = Exclude<keyof typeof VERDICT_CODES, 'none'>
const VERDICT_NAMES = Object.keys(VERDICT_CODES) as Array<keyof typeof VERDICT_CODES>

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

export class Channel {
  readonly number: number
  readonly words: SharedWords
  readonly #memory: ChannelMemory
  readonly #wide: WideClaim | null

  constructor(memory: ChannelMemory) {
    this.#memory = memory
    this.number = memory.number
    this.words = new SharedWords(
      new Int32Array(memory.slab, memory.control, CONTROL_BYTES / Int32Array.BYTES_PER_ELEMENT),
      0,
      LINE_SLOTS,
    )
    this.#wide = memory.wide && new WideClaim(this.words, IN_WIDE, memory.slab, memory.wide)
  }

  get memory(): ChannelMemory {
    return this.#memory
  }

  inboundProducer(): RingProducer {
    return new RingProducer(this.words, IN, this.#inbound(), this.#wide)
  }

  /** `replay`: bytes behind the position that stay readable again; `kept`: how many there are already. */
  inboundConsumer(replay = 0, kept = 0): RingConsumer {
    return new RingConsumer(this.words, IN, this.#inbound(), replay, kept, this.#wide)
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

  /** Stores an outbound wish that no room fulfils: whoever blocks on it wakes when the channel ends. */
  wishEnd(): void {
    this.words.store(OUT.room, -(this.#memory.outboundBytes + 1))
  }

  /** Blocks this thread until the outbound wish it has stored to block on is fulfilled, or time is up. */
  waitOutbound(timeoutMs: number): void {
    const wish = this.words.load(OUT.room)
    if (wish < 0) this.words.wait(OUT.room, wish, timeoutMs)
  }

  outboundProducer(): RingProducer {
    return new RingProducer(this.words, OUT, this.#outbound())
  }

  outboundConsumer(): RingConsumer {
    return new RingConsumer(this.words, OUT, this.#outbound())
  }

  get inEnd(): keyof typeof END {
    return END_NAMES[this.words.load(IN_END)] ?? 'reset'
  }

  /** The first end stays: what came later is a consequence of it. */
  endInbound(how: EndName): void {
    if (this.words.load(IN_END) === END.open) this.words.store(IN_END, END[how])
    this.#notifyBlocked()
  }

  get closed(): keyof typeof END {
    return END_NAMES[this.words.load(CLOSED)] ?? 'reset'
  }

  close(how: EndName): void {
    if (this.words.load(CLOSED) === END.open) this.words.store(CLOSED, END[how])
    this.#notifyBlocked()
  }

  get shut(): keyof typeof SHUT {
    return SHUT_NAMES[this.words.load(OUT_END)] ?? 'abort'
  }

  requestShut(how: ShutName): void {
    if (SHUT[how] > this.words.load(OUT_END)) this.words.store(OUT_END, SHUT[how])
  }

  get epoch(): number {
    return this.words.load(EPOCH)
  }

  get isLeased(): boolean {
    return (this.epoch & 1) === 1
  }

  /** Pool thread only: begins a lease (odd) or ends it (even), and so fences whoever held the other parity. */
  advanceEpoch(): number {
    const next = (this.epoch + 1) | 0
    this.words.store(EPOCH, next)
    return next
  }

  /** The number of the attached thread whose doorbell hears of bytes; 0 is the pool's. */
  get holder(): number {
    return this.words.load(HOLDER)
  }

  /** Pool thread only, between leases. */
  setHolder(holder: number): void {
    this.words.store(HOLDER, holder)
  }

  /**
   * What a holder on another thread does, as far as its words tell: whether it waits for bytes or for room, and a
   * number that changes with every byte it moves.
   */
  get activity(): { readonly waits: boolean; readonly bytes: number } {
    const { words } = this
    return {
      waits: words.load(IN.want) !== 0 || words.load(OUT.room) !== 0,
      // Weighed apart, or a wrap of one counter could outweigh what the other moved.
      bytes: words.load(IN.head) + words.load(OUT.tail) * 2 ** 22,
    }
  }

  get verdict(): keyof typeof VERDICT_CODES {
    return VERDICT_NAMES[this.words.load(VERDICT)] ?? 'error'
  }

  setVerdict(verdict: keyof typeof VERDICT_CODES): void {
    this.words.store(VERDICT, VERDICT_CODES[verdict])
  }

  /**
   * I/O worker only, on an idle channel whose rings are empty: lets the counters skip to the start of the ring, so
   * that small exchanges touch its first pages only.
   */
  rewind(): void {
    for (const [ring, ownBytes, wide] of [
      [IN, this.#memory.inboundBytes, this.#wide],
      [OUT, this.#memory.outboundBytes, null],
    ] as const) {
      const tail = this.words.load(ring.tail)
      const isWide = wide !== null && tail < 0
      const capacity = isWide ? wide.capacity : ownBytes
      const start = isWide ? tailCounter(tail) : tail
      const next = start % capacity === 0 ? start : start + capacity - (start % capacity)
      const wrapped = next < 0 || next >= counterSpan(wide?.capacity ?? ownBytes) ? 0 : next
      this.words.store(ring.head, wrapped)
      this.words.store(ring.tail, isWide ? ~wrapped : wrapped)
    }
  }

  get generation(): number {
    return this.words.load(GENERATION)
  }

  /** Slab owner only: makes the channel as new for the next connection. */
  reset(): void {
    this.words.store(GENERATION, (this.generation + 1) | 0)
    this.words.store(IN.tail, tailCounter(this.words.load(IN.tail)))
    this.rewind()
    for (const word of [
      IN.want,
      IN.room,
      IN_END,
      OUT.want,
      OUT.room,
      OUT_END,
      CLOSED,
      EPOCH,
      VERDICT,
      HOLDER,
    ])
      this.words.store(word, 0)
  }

  /**
   * A holder that blocks on a wish would sleep through an end, which publishes no bytes. Its wish is taken away
   * first: one who is about to block then finds the word changed and does not.
   */
  #notifyBlocked(): void {
    for (const word of [IN.want, OUT.room]) {
      if (this.words.load(word) >= 0) continue
      this.words.exchange(word, 0)
      this.words.notify(word)
    }
  }

  #inbound(): Uint8Array {
    return new Uint8Array(this.#memory.slab, this.#memory.inbound, this.#memory.inboundBytes)
  }

  #outbound(): Uint8Array {
    return new Uint8Array(this.#memory.slab, this.#memory.outbound, this.#memory.outboundBytes)
  }
}
