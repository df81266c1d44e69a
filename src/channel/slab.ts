/**
 * Slabs. Channels are cut from shared buffers that hold 64 each: ten thousand buffers would take seconds to allocate, and
 * several times the memory. The pool thread owns the slabs of one I/O worker and hands out their
 * channels; the worker learns of a slab by the first channel it is told to open.
 *
 *   ┌──────────────┬──────────────┬───────────────┬─────────────┬────────────┐
 *   │ control × 64 │ inbound × 64 │ outbound × 64 │ claims × 4  │ wide × 4   │
 *   └──────────────┴──────────────┴───────────────┴─────────────┴────────────┘
 *
 * Memory that was never touched costs nothing, and touched pages never return. So channels are handed out last in,
 * first out: the busy ones stay warm, the rest stays untouched.
 */
import { invariant, SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { Channel, CONTROL_BYTES } from './channel.ts'
import type { EndName } from './values.ts'
import { type WidePlace, wideBytes } from './wide-rings.ts'
import { LINE_BYTES } from './words.ts'

/** Bytes of each ring. `wideBytes`: bytes of a wide ring, a multiple of `inboundBytes`; 0 or none: there are no wide ones. */
export type RingSizes = {
  readonly inboundBytes: number
  readonly outboundBytes: number
  readonly wideBytes?: number
}

export const DEFAULT_RING_SIZES: RingSizes = {
  inboundBytes: LIMITS.inboundRingBytes,
  outboundBytes: LIMITS.outboundRingBytes,
  wideBytes: LIMITS.wideRingBytes,
}

type SlabLayout = {
  readonly inbound: number
  readonly outbound: number
  readonly wide: WidePlace | null
  readonly slabBytes: number
}

/** Hands out the numbers of the slabs of one pool, so that every channel of the pool has a bit of its own. */
export class SlabNumbers {
  readonly #free: number[] = []
  #next = 0

  take(): number {
    const number = this.#free.pop()
    if (number !== undefined) return number
    if (this.channels >= LIMITS.channelsMax)
      throw new SockpoolError('QUEUE_FULL', `the pool is full: ${LIMITS.channelsMax} connections`)
    return this.#next++
  }

  giveBack(number: number): void {
    this.#free.push(number)
  }

  /** One more than the highest channel number in use so far. */
  get channels(): number {
    return this.#next * LIMITS.channelsPerSlab
  }
}

export class SlabAllocator {
  readonly #sizes: RingSizes
  readonly #numbers: SlabNumbers
  readonly #slabs: number[] = []
  readonly #free: Channel[] = []
  #taken = 0

  constructor(sizes: RingSizes, numbers: SlabNumbers) {
    this.#sizes = sizes
    this.#numbers = numbers
  }

  /** A channel as new. QUEUE_FULL when the pool has used up its channel numbers. */
  take(): Channel {
    if (this.#free.length === 0) this.#grow()
    const channel = this.#free.pop()
    invariant(channel !== undefined, 'a new slab has free channels')
    channel.reset()
    this.#taken++
    return channel
  }

  giveBack(channel: Channel): void {
    this.#taken--
    channel.leaveWide()
    this.#free.push(channel)
  }

  /** Forgets all slabs: their I/O worker is gone, and whoever still looks at one keeps it alive. */
  abandon(): void {
    for (const number of this.#slabs) this.#numbers.giveBack(number)
    this.#slabs.length = 0
    this.#free.length = 0
    this.#taken = 0
  }

  stats(): { readonly channels: number; readonly taken: number; readonly slabBytes: number } {
    const slabs = this.#slabs.length
    const channels = slabs * LIMITS.channelsPerSlab
    return { channels, taken: this.#taken, slabBytes: slabs * this.#layout.slabBytes }
  }

  /** The byte offsets of a slab's parts. */
  get #layout(): SlabLayout {
    const count = LIMITS.channelsPerSlab
    const wideCount = LIMITS.wideRingsPerSlab
    const { inboundBytes, outboundBytes, wideBytes: ringBytes = 0 } = this.#sizes
    const inbound = count * CONTROL_BYTES
    const outbound = inbound + count * inboundBytes
    const end = outbound + count * outboundBytes
    if (ringBytes === 0) return { inbound, outbound, wide: null, slabBytes: end }
    // Words that two threads write share no line.
    const claims = Math.ceil(end / LINE_BYTES) * LINE_BYTES
    const wide = { claims, rings: claims + wideCount * LINE_BYTES, count: wideCount, ringBytes }
    return { inbound, outbound, wide, slabBytes: claims + wideBytes(wideCount, ringBytes) }
  }

  #grow(): void {
    const count = LIMITS.channelsPerSlab
    const { inboundBytes, outboundBytes } = this.#sizes
    const number = this.#numbers.take()
    const { inbound, outbound, wide, slabBytes } = this.#layout
    const slab = new SharedArrayBuffer(slabBytes)
    for (let slot = count - 1; slot >= 0; slot--)
      this.#free.push(
        new Channel({
          slab,
          control: slot * CONTROL_BYTES,
          inbound: inbound + slot * inboundBytes,
          outbound: outbound + slot * outboundBytes,
          inboundBytes,
          outboundBytes,
          wide,
          number: number * count + slot,
        }),
      )
    this.#slabs.push(number)
  }
}

/** A channel of its own that has ended and holds no bytes: what is left of a stream when its channel moved on. */
export function endedChannel(how: EndName): Channel {
  const ringBytes = LINE_BYTES
  const slab = new SharedArrayBuffer(CONTROL_BYTES + 2 * ringBytes)
  const channel = new Channel({
    slab,
    control: 0,
    inbound: CONTROL_BYTES,
    outbound: CONTROL_BYTES + ringBytes,
    inboundBytes: ringBytes,
    outboundBytes: ringBytes,
    wide: null,
    number: 0,
  })
  channel.endInbound(how)
  channel.close(how)
  return channel
}
