/**
 * The holder's reading end of a channel. Bytes stay in the ring until they are taken; only a read that asks for
 * more than the ring can hold moves them aside (`#front`), so that the peer can go on sending.
 *
 *   taken ◄── #front (this thread's memory) ◄── inbound ring (shared) ◄── I/O worker
 *
 * The ring is the flow control: where asyncio pauses its transport above 2 × limit and resumes it at the limit, here
 * the I/O worker pauses its socket when the ring is full and resumes it when half of it is free, whatever the
 * reader's limit is. A read that waits for more than there is lets it resume first, in both.
 *
 * When the connection is gone or the lease is over, the source lets go of the channel and stands alone.
 */

import { ChunkList } from '../../base/chunk-list.ts'
import type { Channel } from '../../channel/channel.ts'
import type { Ringer } from '../../channel/doorbell.ts'
import type { RingConsumer } from '../../channel/ring.ts'
import type { ByteSource, FailedEnd, StreamEnd } from '../byte-source.ts'
import { streamEnd } from './channel-end.ts'

/** Where a source stands in its channel, and what it has set aside. Plain data: it crosses threads. */
export type SourcePosition = {
  readonly replay: number
  readonly kept: number
  readonly front: Uint8Array
}

type Wish = { readonly count: number; readonly wake: () => void }

export class ChannelSource implements ByteSource {
  readonly #channel: Channel
  readonly #ringer: Ringer
  readonly #replay: number
  readonly #front = new ChunkList()
  /** Null while the ring is another thread's to read, and for ever after `detach`. */
  #ring: RingConsumer | null
  #end: StreamEnd | null = null
  #wish: Wish | null = null
  #onEnd: (() => void) | null = null
  #detached = false
  /** What was received is nobody's. */
  #isDropped = false

  /** `kept` and `front` are those of the source that held the channel before, on another thread. */
  constructor(channel: Channel, ringer: Ringer, replay = 0, kept = 0, front?: Uint8Array) {
    this.#channel = channel
    this.#replay = replay
    this.#ring = channel.inboundConsumer(replay, kept)
    this.#ringer = ringer
    if (front) this.#pushFront(front)
  }

  get available(): number {
    return this.#front.length + (this.#ring?.readable ?? 0)
  }

  /** Read it before `available`: the bytes that precede an end are published before it. */
  get end(): StreamEnd | null {
    if (this.#end === null && this.#ring !== null) this.#end = streamEnd(this.#channel.inEnd)
    return this.#end
  }

  views(): readonly Uint8Array[] {
    const ring = this.#ring?.views() ?? []
    return this.#front.length === 0 ? ring : [...this.#front.views(), ...ring]
  }

  take(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    this.takeInto(bytes)
    return bytes
  }

  takeInto(target: Buffer): void {
    const fromFront = Math.min(target.length, this.#front.length)
    if (fromFront > 0) this.#front.takeInto(target.subarray(0, fromFront))
    if (fromFront < target.length) this.#takeFromRing(fromFront === 0 ? target : target.subarray(fromFront))
  }

  skip(count: number): void {
    const fromFront = Math.min(count, this.#front.length)
    this.#front.drop(fromFront)
    if (fromFront < count) this.#consume(count - fromFront)
  }

  putBack(bytes: Uint8Array): void {
    if (this.#isDropped && this.#end?.kind === 'failed') throw this.#end.error
    this.#front.unshift(Buffer.from(bytes))
  }

  onEnd(wake: (() => void) | null): void {
    this.#onEnd = wake
    this.#tellEnd()
  }

  request(count: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (wake === null) {
      this.#ring?.withdrawWish()
      return false
    }
    if (!this.#arm(count, 'bell')) return false
    this.#wish = { count, wake }
    return true
  }

  /** As `request`, but blocks this thread; false when `timeoutMs` passed first. */
  waitFor(count: number, timeoutMs: number): boolean {
    const until = performance.now() + timeoutMs
    while (this.#arm(count, 'block')) {
      const leftMs = until - performance.now()
      if (leftMs <= 0) {
        this.#ring?.withdrawWish()
        return this.end !== null || this.available >= count
      }
      this.#channel.waitInbound(leftMs)
    }
    return true
  }

  /** The holder's doorbell rang for this channel. */
  rung(): void {
    const wish = this.#wish
    if (wish !== null && !this.#arm(wish.count, 'bell')) this.#wake()
    this.#tellEnd()
  }

  /** Lets go of the ring for another thread; `resume` takes it up where that thread left it. */
  suspend(): SourcePosition {
    const kept = this.#ring?.kept ?? 0
    this.#ring?.withdrawWish()
    this.#ring = null
    return { replay: this.#replay, kept, front: this.#front.takeAll() }
  }

  resume({ kept, front }: SourcePosition): void {
    if (!this.#detached) this.#ring = this.#channel.inboundConsumer(this.#replay, kept)
    this.#pushFront(front)
    this.#tellEnd()
  }

  /** Lets go of the channel, whose connection is gone. What was received stays readable and precedes the end. */
  detach(end: StreamEnd): void {
    if (this.#detached) return
    this.#end = this.end ?? end
    this.#setAside()
    this.#letGo()
  }

  /** Lets go of the channel, which is this holder's no more; what was received is not either. */
  revoke(end: FailedEnd): void {
    if (this.#detached) return
    if (this.#ring?.forget()) this.#ringer.ring(this.#channel.number)
    this.drop(end)
  }

  /** Lets go of a channel whose words make no sense, without another look at them. */
  drop(end: FailedEnd): void {
    if (this.#detached) return
    this.#end = end
    this.#front.drop(this.#front.length)
    this.#isDropped = true
    this.#letGo()
  }

  #letGo(): void {
    this.#ring?.withdrawWish()
    this.#ring = null
    this.#detached = true
    this.#wake()
    this.#tellEnd()
  }

  #tellEnd(): void {
    const wake = this.#onEnd
    if (wake === null || this.end === null) return
    this.#onEnd = null
    wake()
  }

  #wake(): void {
    const wish = this.#wish
    this.#wish = null
    wish?.wake()
  }

  /** True once the wish stands in shared memory; false when it is fulfilled already. */
  #arm(count: number, how: 'bell' | 'block'): boolean {
    for (;;) {
      const ring = this.#ring
      if (ring === null || this.#channel.inEnd !== 'open') return false
      const fits = count - this.#front.length <= ring.room
      if (!fits) this.#setAside()
      const missing = count - this.#front.length
      if (missing <= 0) return false
      // Half a ring at a time: the peer fills one half while this thread empties the other.
      if (!ring.wish(fits ? missing : Math.min(missing, Math.max(1, ring.room >> 1)), how)) {
        // A ring that has moved to a smaller memory meanwhile is full with less than fitted before.
        if (this.available >= count) return false
        continue
      }
      if (this.#channel.inEnd === 'open') {
        if (ring.hurry()) this.#ringer.ring(this.#channel.number)
        return true
      }
      ring.withdrawWish()
      return false
    }
  }

  #setAside(): void {
    const count = this.#ring?.readable ?? 0
    if (count === 0) return
    const bytes = Buffer.allocUnsafeSlow(count)
    this.#takeFromRing(bytes)
    this.#front.push(bytes)
  }

  #pushFront(front: Uint8Array): void {
    this.#front.push(Buffer.from(front.buffer, front.byteOffset, front.length))
  }

  #takeFromRing(target: Buffer): void {
    this.#ring?.copy(target)
    this.#consume(target.length)
  }

  #consume(count: number): void {
    if (this.#ring?.consume(count)) this.#ringer.ring(this.#channel.number)
  }
}
