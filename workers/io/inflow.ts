/**
 * The way in: from the reads of one socket to the inbound ring, and behind the last of them the end.
 *
 *   kernel ──onread──► inbound ring ──► holder
 *              └─► scratch ─► #spill   (the ring is full, or the read's buffer was fixed before the ring moved)
 *
 * Node asks for the buffer of the *next* read when a read's callback returns, so a read may land in a piece that is no
 * longer at the ring's tail, and is copied then. A buffer is never empty: on TCP an empty one is ENOBUFS, on TLS it
 * spins for ever. When the ring is full the worker's scratch buffer stands in, the socket is paused, and what TLS
 * still hands over goes to the spill.
 *
 *   open ──► ended (how) ──► told        told: the last byte is in the ring, and the holder can see the end
 */
import { ChunkList } from '../../src/base/chunk-list.ts'
import { LIMITS } from '../../src/base/limits.ts'
import type { Channel } from '../../src/channel/channel.ts'
import type { RingConsumer, RingProducer } from '../../src/channel/ring.ts'
import type { Tenure } from '../../src/channel/tenure.ts'
import type { EndName } from '../../src/channel/values.ts'
import type { MessageBalance } from './message-balance.ts'

/** How far the inbound direction is. An end keeps its name: what comes later is a consequence of it. */
type Way =
  | { readonly at: 'open' }
  | { readonly at: 'ended'; readonly how: EndName }
  | { readonly at: 'told'; readonly how: EndName }

export type InflowDeps = {
  readonly channel: Channel
  readonly tenure: Tenure
  /** One buffer per worker: a read is over before the next one begins. */
  readonly scratch: Buffer
  /** Null where nothing is counted. */
  readonly balance: MessageBalance | null
  readonly ringHolder: () => void
  /** Room may have come: to be answered by `tryResume`. */
  readonly onRoom: () => void
  /** Says to the holder how the direction ended. */
  readonly tellEnd: (how: EndName) => void
}

export class Inflow {
  readonly #deps: InflowDeps
  #ring: RingProducer
  #way: Way = { at: 'open' }
  /** Bytes that came while the ring was full. At most what TLS hands over after it was told to pause. */
  readonly #spill = new ChunkList()
  #isPaused = false
  /** The last read was large. */
  #readsLarge = false
  /** The last read filled its buffer: the kernel has more. */
  #wasFilled = false
  /** The next read lands in the ring itself. */
  #isLent = false
  /** The ring was full since it was last empty. */
  #wasFull = false
  #delivered = 0

  constructor(deps: InflowDeps) {
    this.#deps = deps
    this.#ring = deps.channel.inboundProducer(deps.tenure)
  }

  /** Bytes that were put into the ring since the connection began, or are to be. */
  get delivered(): number {
    return this.#delivered
  }

  get hasSpill(): boolean {
    return this.#spill.length > 0
  }

  /** How the direction ended; `open`: it has not. */
  get end(): 'open' | EndName {
    return this.#way.at === 'open' ? 'open' : this.#way.how
  }

  /** Bytes came that the holder has not taken. */
  get isUnread(): boolean {
    return this.#ring.pending > 0 || this.hasSpill
  }

  /**
   * The buffer for the next read, never empty. Small reads take the scratch buffer, which is warm and costs no new
   * view of the ring; once they grow, the kernel reads into the ring itself. Where a piece at the ring's end is short,
   * one copy is cheaper than two reads. A wide ring is lent only while the kernel has more than a read takes: a stream
   * that pauses may be at its end, and could not give the ring up while the next read is to land in it.
   */
  nextBuffer(): Buffer {
    const { scratch } = this.#deps
    this.#isLent = false
    if (this.hasSpill) return scratch
    if (this.#readsLarge && (this.#wasFilled || !this.#ring.isWide)) {
      const piece = this.#ring.reserve(this.#ring.isWide ? LIMITS.wideReadBytes : LIMITS.kernelReadBytes)
      this.#isLent = piece.length >= LIMITS.directReadBytesMin
      if (this.#isLent) return piece
    }
    const free = this.#ring.freeUpTo(scratch.length)
    return free === scratch.length || free === 0 ? scratch : scratch.subarray(0, free)
  }

  /** Makes the first `length` bytes of a buffer readable: in place where they lie there already, else by a copy. */
  deliver(buffer: Uint8Array, length: number): void {
    this.#deps.balance?.received(buffer, length)
    this.#delivered += length
    this.#wasFilled = length >= Math.min(buffer.length, LIMITS.kernelReadBytes)
    this.#readsLarge = length >= LIMITS.directReadBytesMin || this.#wasFilled
    if (this.hasSpill) {
      this.#spill.append(buffer.subarray(0, length))
      return
    }
    const leaves = this.#fit()
    const count = this.#ring.isAtTail(buffer) ? length : this.#ring.fill(buffer, length)
    if (count < length) this.#spill.append(buffer.subarray(count, length))
    if (count > 0 && this.#ring.publish(count)) this.#deps.ringHolder()
    // Not before: these bytes may have come in the wide ring. The next are read elsewhere.
    if (leaves) this.#deps.channel.leaveWide()
  }

  /**
   * A holder that emptied a full ring before this thread was back waits for bytes, not for itself: a wide ring serves it
   * better. Once reads are small the wide one is for others; true where the ring has moved out of it just now.
   */
  #fit(): boolean {
    const { isWide } = this.#ring
    if (isWide ? this.#readsLarge : !this.#wasFull) return false
    if (this.#ring.pending > 0) return false
    this.#wasFull = false
    if (!isWide && this.#deps.channel.claimWide()) this.#ring.move('wide')
    if (isWide) this.#ring.move('own')
    return isWide
  }

  /** Whether the socket is to pause, because the ring is full, until half of it is free. */
  pauseIfFull(): boolean {
    if (!this.hasSpill && this.#ring.freeUpTo(1) > 0) return false
    this.#isPaused = true
    this.#wasFull = true
    this.#wishRoom()
    return true
  }

  /** True when a paused socket may go on; the spill is in the ring by then. */
  tryResume(): boolean {
    if (!this.#isPaused) return false
    const isOpen = this.#way.at === 'open'
    for (let first = this.#spill.first(); first !== undefined && this.#ring.free > 0; ) {
      const count = this.#ring.fill(first)
      if (this.#ring.publish(count)) this.#deps.ringHolder()
      this.#spill.drop(count)
      first = this.#spill.first()
    }
    const needsRoom = isOpen && this.#ring.free < this.#ring.capacity >> 1 && !this.#isHungry
    if (this.hasSpill || needsRoom) {
      this.#wishRoom()
      return false
    }
    this.#isPaused = false
    if (!isOpen) this.#tell()
    return isOpen
  }

  /** No more bytes come; the holder hears of it once the last one is in the ring. */
  finish(how: EndName): void {
    if (this.#way.at === 'open') this.#way = { at: 'ended', how }
    if (!this.hasSpill) this.#tell()
  }

  /** The direction ends here: what is not in the ring is lost, and the end must say so. */
  cut(how: EndName): void {
    if (this.#way.at !== 'told') this.#way = { at: 'ended', how }
    this.#spill.drop(this.#spill.length)
    this.#tell()
  }

  #tell(): void {
    if (this.#way.at !== 'ended') return
    const { how } = this.#way
    this.#way = { at: 'told', how }
    this.#deps.tellEnd(how)
  }

  /** Takes the spill away: who upgrades the connection feeds it to TLS. The socket counts as not paused then. */
  takeSpill(): Buffer {
    return this.#spill.takeAll()
  }

  /**
   * Takes all that came and that nobody has read, for who is in this thread and will have the next bytes too: the ring is
   * empty, and the socket counts as not paused. `consumer`: the ring's other end, which nobody else has then.
   */
  takeUnread(consumer: RingConsumer): readonly Buffer[] {
    const taken = consumer.views().map(piece => Buffer.from(piece))
    consumer.consume(consumer.readable)
    this.#isPaused = false
    return this.hasSpill ? [...taken, this.takeSpill()] : taken
  }

  unpause(): void {
    this.#isPaused = false
  }

  /** The ring is empty, and its counters were moved from outside. An idle connection holds no wide ring that it can leave. */
  reopen(): void {
    this.#ring = this.#deps.channel.inboundProducer(this.#deps.tenure)
    this.#wasFull = false
    if (!this.#ring.isWide || this.#isLent) return
    this.#ring.move('own')
    this.#deps.channel.leaveWide()
  }

  #wishRoom(): void {
    if (!this.#ring.wishRoom(this.#ring.capacity >> 1) || this.#isHungry)
      setImmediate(() => this.#deps.onRoom())
  }

  /** The holder waits for more than the ring holds, so it will not make more room before it has more bytes. */
  get #isHungry(): boolean {
    return this.#ring.isAwaited && this.#ring.free > 0
  }
}
