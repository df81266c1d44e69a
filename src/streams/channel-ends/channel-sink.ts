/** The holder's writing end of a channel: bytes go into the outbound ring, ends into its control words. */
import type { Channel } from '../../channel/channel.ts'
import type { Ringer } from '../../channel/doorbell.ts'
import type { RingProducer } from '../../channel/ring.ts'
import type { ByteSink } from '../byte-sink.ts'
import type { StreamEnd } from '../byte-source.ts'
import { streamEnd } from './channel-end.ts'

type Wish = { readonly level: number; readonly wake: () => void }

export class ChannelSink implements ByteSink {
  readonly #channel: Channel
  readonly #ring: RingProducer
  readonly #ringer: Ringer
  #end: StreamEnd | null = null
  #wish: Wish | null = null
  #onEnd: (() => void) | null = null
  #detached = false

  constructor(channel: Channel, ringer: Ringer) {
    this.#channel = channel
    this.#ring = channel.outboundProducer()
    this.#ringer = ringer
  }

  get pending(): number {
    return this.#detached ? 0 : this.#ring.pending
  }

  get end(): StreamEnd | null {
    if (this.#end === null && !this.#detached) this.#end = streamEnd(this.#channel.closed)
    return this.#end
  }

  write(bytes: Uint8Array): number {
    if (this.end !== null) return 0
    const count = this.#ring.fill(bytes)
    if (count > 0 && this.#ring.publish(count)) this.#ringer.ring(this.#channel.number)
    return count
  }

  shut(how: 'finish' | 'close' | 'abort'): void {
    if (this.#detached) return
    this.#channel.requestShut(how)
    this.#ringer.ring(this.#channel.number)
  }

  request(level: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (this.#detached) return false
    if (wake === null) {
      this.#ring.withdrawRoom()
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
      this.#channel.wishEnd()
      return this.#stands()
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
    if (this.end !== null) this.#ended()
  }

  /** Lets go of the channel: it ended so, or its lease is over. */
  detach(end: StreamEnd): void {
    if (this.#detached) return
    this.#end = end.kind === 'failed' ? end : (this.end ?? end)
    this.#ring.withdrawRoom()
    this.#detached = true
    const wish = this.#wish
    this.#wish = null
    wish?.wake()
    this.#ended()
  }

  #block(timeoutMs: number, arm: () => boolean): boolean {
    const until = performance.now() + timeoutMs
    while (!this.#detached && arm()) {
      const leftMs = until - performance.now()
      if (leftMs <= 0) {
        this.#ring.withdrawRoom()
        return false
      }
      this.#channel.waitOutbound(leftMs)
    }
    return true
  }

  #arm(level: number, how: 'bell' | 'block' = 'bell'): boolean {
    if (this.#channel.closed !== 'open') return false
    return this.#ring.wishRoom(Math.max(1, this.#ring.capacity - level), how) && this.#stands()
  }

  /** Whether a wish that was stored just now will be heard of: an end that came before it takes it away. */
  #stands(): boolean {
    if (this.#channel.closed === 'open') return true
    this.#ring.withdrawRoom()
    return false
  }

  #ended(): void {
    const wake = this.#onEnd
    this.#onEnd = null
    wake?.()
  }
}
