/**
 * The holder's writing end of a channel: bytes go into the outbound ring, ends into its control words.
 *
 *   attached ──detach──► detached       the connection is gone, or the lease is over
 *
 * It is made for one lease. Once the channel's epoch has moved on, no call touches the channel, whether somebody has
 * told this end or not.
 */
import type { Channel } from '../../channel/channel.ts'
import type { Ringer } from '../../channel/doorbell.ts'
import type { RingProducer } from '../../channel/ring.ts'
import type { Tenure } from '../../channel/tenure.ts'
import type { ByteSink, SinkShut } from '../byte-sink.ts'
import { type FailedEnd, isRevoked, type StreamEnd } from '../byte-source.ts'
import { overtakenEnd, streamEnd } from './channel-end.ts'

type State =
  | { readonly kind: 'attached'; readonly ring: RingProducer }
  | { readonly kind: 'detached'; readonly end: StreamEnd }

type Wish = { readonly level: number; readonly wake: () => void }

export class ChannelSink implements ByteSink {
  readonly #channel: Channel
  readonly #tenure: Tenure
  readonly #ringer: Ringer
  #state: State
  /** How the connection ended, as it was first seen. */
  #seenEnd: StreamEnd | null = null
  #wish: Wish | null = null
  #hasSent = false
  #onEnd: (() => void) | null = null

  /** `epoch`: of the lease that it is for. */
  constructor(channel: Channel, ringer: Ringer, epoch: number) {
    this.#channel = channel
    this.#tenure = channel.leaseTenure(epoch)
    this.#ringer = ringer
    this.#state = { kind: 'attached', ring: channel.outboundProducer(this.#tenure) }
  }

  get pending(): number {
    return this.#ring?.pending ?? 0
  }

  get pendingMost(): number {
    return this.#ring?.pendingMost ?? 0
  }

  /** Bytes were put into the ring: whether they have reached the peer is not known here. */
  get hasSent(): boolean {
    return this.#hasSent
  }

  get end(): StreamEnd | null {
    if (this.#ring === null) return this.#state.kind === 'detached' ? this.#state.end : this.#seenEnd
    this.#seenEnd ??= streamEnd(this.#channel.closed, this.#hasSent)
    return this.#seenEnd
  }

  write(bytes: Uint8Array): number {
    const ring = this.#ring
    if (ring === null || this.end !== null) return 0
    const count = ring.fill(bytes)
    if (count === 0) return 0
    this.#hasSent = true
    if (ring.publish(count)) this.#ringer.ring(this.#channel.number)
    return count
  }

  shut(how: SinkShut): void {
    if (this.#ring === null) return
    this.#channel.requestShut(how)
    this.#ringer.ring(this.#channel.number)
  }

  request(level: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (wake === null) {
      this.#ring?.withdrawRoom()
      return false
    }
    if (!this.#arm(level)) return false
    this.#wish = { level, wake }
    return true
  }

  /** Blocks this thread until at most `level` bytes are pending or the end has come; false when time passed first. */
  waitFor(level: number, timeoutMs: number): boolean {
    return this.#block(timeoutMs, () => this.#arm(level, 'block'))
  }

  /** As `waitFor`, but waits for the end alone. */
  waitEnd(timeoutMs: number): boolean {
    return this.#block(timeoutMs, () => {
      const ring = this.#ring
      if (ring === null) return false
      ring.wishEnd()
      return this.#stands(ring)
    })
  }

  onEnd(wake: (() => void) | null): void {
    this.#onEnd = wake
  }

  /** The holder's doorbell rang for this channel. */
  rung(): void {
    const wish = this.#wish
    if (wish !== null && !this.#arm(wish.level)) {
      this.#wish = null
      wish.wake()
    }
    if (this.end !== null) this.#tellEnd()
  }

  /** Lets go of the channel, whose connection is gone. */
  detach(end: StreamEnd): void {
    const ring = this.#ring
    if (ring === null) return
    ring.withdrawRoom()
    this.#letGo(end.kind === 'failed' ? end : (this.end ?? end))
  }

  /** The lease is over, whatever became of the connection before: every call fails so. The first reason stays. */
  revoke(end: FailedEnd): void {
    if (this.#state.kind === 'detached' && isRevoked(this.#state.end)) return
    this.#ring?.withdrawRoom()
    this.#letGo(end)
  }

  /** Lets go of a channel whose words make no sense, without another look at them. */
  drop(end: FailedEnd): void {
    this.#letGo(end)
  }

  /** The ring, for as long as it is this end's. */
  get #ring(): RingProducer | null {
    const state = this.#state
    if (state.kind !== 'attached') return null
    if (this.#tenure.holds) return state.ring
    this.#letGo(overtakenEnd(this.#channel))
    return null
  }

  #letGo(end: StreamEnd): void {
    this.#state = { kind: 'detached', end }
    const wish = this.#wish
    this.#wish = null
    wish?.wake()
    this.#tellEnd()
  }

  #block(timeoutMs: number, arm: () => boolean): boolean {
    const until = performance.now() + timeoutMs
    while (arm()) {
      const leftMs = until - performance.now()
      if (leftMs <= 0) {
        this.#ring?.withdrawRoom()
        return false
      }
      this.#channel.waitOutbound(leftMs)
    }
    return true
  }

  #arm(level: number, how: 'bell' | 'block' = 'bell'): boolean {
    const ring = this.#ring
    if (ring === null || this.#channel.closed !== 'open') return false
    return ring.wishRoom(Math.max(1, ring.capacity - level), how) && this.#stands(ring)
  }

  /** Whether a wish that was stored just now will be heard of: not after an end that came before it. */
  #stands(ring: RingProducer): boolean {
    if (!this.#tenure.stillHolds) return false
    if (this.#channel.closed === 'open') return true
    ring.withdrawRoom()
    return false
  }

  #tellEnd(): void {
    const wake = this.#onEnd
    this.#onEnd = null
    wake?.()
  }
}
