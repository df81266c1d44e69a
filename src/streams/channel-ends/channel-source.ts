/**
 * The holder's reading end of a channel. Bytes stay in the ring until they are taken; only a read that asks for
 * more than the ring can hold moves them aside (`#aside`), so that the peer can go on sending.
 *
 *   #window ◄── taken ◄── #aside (this thread's memory) ◄── inbound ring (shared) ◄── I/O worker
 *
 * Where the lease asked for it, a copy of what was taken last stays in the window, to be read again.
 *
 * The ring is the flow control: where asyncio pauses its transport above 2 × limit and resumes it at the limit, here
 * the I/O worker pauses its socket when the ring is full and resumes it when half of it is free, whatever the
 * reader's limit is. A read that waits for more than there is lets it resume first, in both.
 *
 *   attached ◄──suspend, resume──► lent           another thread reads the ring meanwhile
 *      └────detach, revoke──► detached ◄──┘       the connection is gone, or the lease is over: it stands alone
 *
 * It is made for one lease. Once the channel's epoch has moved on, no call touches the channel, whether somebody has
 * told this end or not.
 */

import { invariant } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Channel } from '../../channel/channel.ts'
import type { Ringer } from '../../channel/doorbell.ts'
import type { RingConsumer } from '../../channel/ring.ts'
import type { Tenure } from '../../channel/tenure.ts'
import { assertOwned, type ByteSource, type FailedEnd, isRevoked, type StreamEnd } from '../byte-source.ts'
import { frontBytes } from '../reading/front-bytes.ts'
import { ReplayWindow } from '../replay-window.ts'
import { AsideList } from './aside-list.ts'
import { overtakenEnd, streamEnd } from './channel-end.ts'
import type { SourcePosition } from './source-position.ts'
import { ownBuffer, youngBuffer } from './young-buffers.ts'

type Attached = { readonly kind: 'attached'; readonly ring: RingConsumer }
type Detached = { readonly kind: 'detached'; readonly end: StreamEnd; readonly isDropped: boolean }
/** `home`: what it returns to. `lost`: how the connection ended meanwhile. */
type Lent = { readonly kind: 'lent'; readonly home: Attached | Detached; readonly lost: StreamEnd | null }

const NOTHING: Uint8Array = new Uint8Array(0)

type Wish = { readonly count: number; readonly wake: () => void }

export class ChannelSource implements ByteSource {
  readonly #channel: Channel
  readonly #ringer: Ringer
  readonly #tenure: Tenure
  readonly #window: ReplayWindow | null
  readonly #aside = new AsideList()
  #state: Attached | Lent | Detached
  /** How the inbound direction ended, as it was first seen. */
  #seenEnd: StreamEnd | null = null
  #wish: Wish | null = null
  /** The other end, where it is here. */
  #sink: { readonly hasSent: boolean } | null = null
  #onEnd: (() => void) | null = null

  /**
   * `epoch`: of the lease that it is for. `replay`: bytes that its window is to hold. `kept` and `aside` are those of
   * the source that held the channel before, on another thread.
   */
  constructor(
    channel: Channel,
    ringer: Ringer,
    epoch: number,
    { replay = 0, kept = NOTHING, aside }: Partial<SourcePosition> = {},
  ) {
    this.#channel = channel
    this.#window = replay === 0 ? null : new ReplayWindow(replay)
    this.#window?.keep(kept)
    this.#tenure = channel.leaseTenure(epoch)
    this.#state = { kind: 'attached', ring: channel.inboundConsumer(this.#tenure) }
    this.#ringer = ringer
    if (aside) this.#pushAside(aside)
  }

  /** Its errors can tell from now on whether anything was sent. */
  pairWith(sink: { readonly hasSent: boolean }): void {
    this.#sink = sink
  }

  /** What was taken last; null where nothing is kept of it. */
  get window(): ReplayWindow | null {
    return this.#window
  }

  get available(): number {
    return this.#aside.length + (this.#ring?.readable ?? 0)
  }

  /** Read it before `available`: the bytes that precede an end are published before it. */
  get end(): StreamEnd | null {
    if (this.#ring !== null) this.#seenEnd ??= streamEnd(this.#channel.inEnd, this.#sink?.hasSent ?? true)
    return this.#state.kind === 'detached' ? this.#state.end : this.#seenEnd
  }

  views(): Iterable<Uint8Array> {
    const ring = this.#ring?.views() ?? []
    return this.#aside.length === 0 ? ring : this.#aside.viewList().concat(ring)
  }

  take(count: number): Buffer {
    // The last of what a block was set aside for lies in the ring still.
    if (this.#aside.isReserved(count)) this.gather(count)
    const whole = this.#aside.takeWhole(count)
    const bytes = whole ?? youngBuffer(count)
    if (whole === null) this.takeInto(bytes)
    else this.#window?.keep(whole)
    return bytes
  }

  takeInto(target: Buffer): void {
    const fromAside = Math.min(target.length, this.#aside.length)
    if (fromAside > 0) this.#aside.takeInto(target.subarray(0, fromAside))
    if (fromAside < target.length)
      this.#takeFromRing(this.#ring, fromAside === 0 ? target : target.subarray(fromAside))
    this.#window?.keep(target)
  }

  skip(count: number): void {
    const skipped = this.#window === null ? NOTHING : frontBytes(this.views(), count)
    const fromAside = Math.min(count, this.#aside.length)
    this.#aside.drop(fromAside)
    if (fromAside < count) this.#consume(this.#ring, count - fromAside)
    this.#window?.keep(skipped)
  }

  /** Moves bytes out of the ring until so many lie in this thread's memory, as unread as they were: the peer may send more. */
  gather(count: number): void {
    const ring = this.#ring
    const missing = count - this.#aside.length
    if (ring !== null && missing > 0) this.#setAside(ring, Math.min(missing, ring.readable))
  }

  takeThrough(byte: number, most: number): Buffer | null {
    return this.#isCutShort() ? this.#aside.takeThrough(byte, most) : null
  }

  takeEachThrough(byte: number, most: number, count: number): Buffer[] {
    return this.#isCutShort() ? this.#aside.takeEachThrough(byte, most, count) : []
  }

  /** Whether lines may be taken by the short cut; then bytes that make it worth while lie aside. */
  #isCutShort(): boolean {
    const ring = this.#ring
    if (ring === null || this.#window !== null || this.#channel.inEnd !== 'open') return false
    if (this.#aside.length === 0 && ring.readable >= LIMITS.linesAsideBytesMin)
      this.gather(LIMITS.linesAsideBytes)
    return true
  }

  putBack(bytes: Uint8Array): void {
    const state = this.#state
    assertOwned(this.end)
    if (state.kind === 'detached' && state.isDropped && state.end.kind === 'failed') throw state.end.error
    this.#aside.unshift(bytes)
    this.#window?.retract(bytes.length)
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

  /**
   * As `waitFor`, for a thread that must not block: null where it would return, else what resolves when it is worth
   * another look.
   */
  protected servedLater(count: number): Promise<unknown> | null {
    while (this.#arm(count, 'block')) {
      const served = this.#channel.inboundServed()
      if (served !== null) return served
    }
    return null
  }

  /** The holder's doorbell rang for this channel. */
  rung(): void {
    const wish = this.#wish
    // Mostly it rang because they are there. Whoever took the wish away by that would only be asked to do so again.
    if (wish !== null && (this.available >= wish.count || !this.#arm(wish.count, 'bell'))) this.#wake()
    this.#tellEnd()
  }

  /** Lets go of the ring for another thread; `resume` takes it up where that thread left it. */
  suspend(): SourcePosition {
    const ring = this.#ring
    const state = this.#state
    invariant(state.kind !== 'lent', 'a reading end is lent to one borrower at a time')
    ring?.withdrawWish()
    this.#state = { kind: 'lent', home: state, lost: null }
    return { replay: this.#window?.capacity ?? 0, kept: NOTHING, aside: this.#aside.takePieces() }
  }

  /** The borrower has left it there. What it brings of a lease that is over by now is nobody's. */
  resume({ kept, aside }: SourcePosition): void {
    const state = this.#state
    if (state.kind !== 'lent') return
    const { home, lost } = state
    this.#window?.keep(kept)
    this.#pushAside(aside)
    if (home.kind === 'detached') this.#state = home
    else {
      const ring = this.#channel.inboundConsumer(this.#tenure)
      this.#state = { kind: 'attached', ring }
      if (lost !== null) this.detach(lost)
    }
    this.#tellEnd()
  }

  /** Lets go of the channel, whose connection is gone. What was received stays readable and precedes the end. */
  detach(end: StreamEnd): void {
    const state = this.#state
    if (state.kind === 'lent') this.#state = { ...state, lost: state.lost ?? end }
    const ring = this.#ring
    if (ring === null) return
    const seen = this.end
    this.#setAside(ring)
    ring.withdrawWish()
    this.#letGo({ kind: 'detached', end: seen ?? end, isDropped: false })
  }

  /**
   * The lease is over. What lies in the ring is this holder's no more; what was received of a connection that ended
   * before stays readable. The first reason stays.
   */
  revoke(end: FailedEnd): void {
    if (this.#state.kind === 'detached' && isRevoked(this.#state.end)) return
    const ring = this.#ring
    ring?.withdrawWish()
    this.#window?.clear()
    if (this.#state.kind === 'detached') this.#letGo({ ...this.#state, end })
    else this.drop(end)
  }

  /** Lets go of a channel whose words make no sense, without another look at them. What was received is nobody's. */
  drop(end: FailedEnd): void {
    this.#aside.drop(this.#aside.length)
    this.#window?.clear()
    this.#letGo({ kind: 'detached', end, isDropped: true })
  }

  /** The ring, for as long as it is this end's to read. */
  get #ring(): RingConsumer | null {
    const state = this.#state
    if (state.kind !== 'attached') return null
    if (this.#tenure.holds) return state.ring
    this.drop(overtakenEnd(this.#channel))
    return null
  }

  #letGo(state: Detached): void {
    this.#state = state
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
      const fits = count - this.#aside.length <= ring.capacity
      if (!fits) {
        this.#aside.reserve(count)
        this.#setAside(ring)
      }
      const missing = count - this.#aside.length
      if (missing <= 0) return false
      // Half a ring at a time: the peer fills one half while this thread empties the other.
      if (!ring.wish(fits ? missing : Math.min(missing, Math.max(1, ring.capacity >> 1)), how)) {
        // A ring that has moved to a smaller memory meanwhile is full with less than fitted before.
        if (this.available >= count) return false
        continue
      }
      // Who ends the lease moves the epoch on before it looks for wishes, so one of the two sees the other.
      if (!this.#tenure.stillHolds) continue
      if (this.#channel.inEnd === 'open') {
        if (ring.hurry()) this.#ringer.ring(this.#channel.number)
        return true
      }
      ring.withdrawWish()
      return false
    }
  }

  #setAside(ring: RingConsumer, most: number = ring.readable): void {
    const count = most - this.#aside.appendInto(most, target => this.#takeFromRing(ring, target))
    if (count > 0) this.#aside.push(this.#takeFromRing(ring, ownBuffer(count)))
  }

  #pushAside(aside: readonly Uint8Array[]): void {
    for (const { buffer, byteOffset, length } of aside)
      this.#aside.push(Buffer.from(buffer, byteOffset, length))
  }

  #takeFromRing(ring: RingConsumer | null, target: Buffer): Buffer {
    ring?.copy(target)
    this.#consume(ring, target.length)
    return target
  }

  #consume(ring: RingConsumer | null, count: number): void {
    if (ring?.consume(count)) this.#ringer.ring(this.#channel.number)
  }
}
