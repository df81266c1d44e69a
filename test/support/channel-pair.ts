/** A leased channel on one thread: a holder's source and sink, and the I/O worker's end in the hands of the test. */
import type { Channel } from '../../src/channel/channel.ts'
import { allocateDoorbell, doorbellWords, Ringer, RungSet } from '../../src/channel/doorbell.ts'
import type { RingConsumer, RingProducer } from '../../src/channel/ring.ts'
import { type RingSizes, SlabAllocator, SlabNumbers } from '../../src/channel/slab.ts'
import type { EndName } from '../../src/channel/values.ts'
import { ChannelSink } from '../../src/streams/channel-ends/channel-sink.ts'
import { ChannelSource } from '../../src/streams/channel-ends/channel-source.ts'

export class ChannelPair {
  readonly channel: Channel
  readonly source: ChannelSource
  readonly sink: ChannelSink
  /** The I/O worker's ends of the rings. */
  readonly inbound: RingProducer
  readonly outbound: RingConsumer
  /** Rings the I/O worker's doorbell. */
  readonly ringer: Ringer
  readonly #ioRung: RungSet

  constructor(sizes: RingSizes, replay = 0) {
    this.channel = new SlabAllocator(sizes, new SlabNumbers()).take()
    const epoch = this.channel.advanceEpoch()
    const words = doorbellWords(allocateDoorbell())
    this.ringer = new Ringer(words)
    this.#ioRung = new RungSet(words, this.channel.number + 1)
    this.source = new ChannelSource(this.channel, this.ringer, epoch, { replay })
    this.sink = new ChannelSink(this.channel, this.ringer, epoch)
    const connection = this.channel.connectionTenure(this.channel.generation)
    this.inbound = this.channel.inboundProducer(connection)
    this.outbound = this.channel.outboundConsumer(connection)
  }

  /** Whether the I/O worker was rung since the last call. */
  get ioWasRung(): boolean {
    return this.#ioRung.sweep(() => {}) > 0
  }

  /** Receives as many bytes as there is room for, rings the holder if it asks for it, and returns what is left. */
  receive(bytes: string | Uint8Array): Buffer {
    const chunk = Buffer.from(bytes)
    const count = this.inbound.fill(chunk)
    if (count > 0 && this.inbound.publish(count)) this.ringHolder()
    return chunk.subarray(count)
  }

  /** Receives all of the bytes; fails where the holder takes none although the ring is full. */
  receiveAll(bytes: string | Uint8Array): void {
    for (let rest: Uint8Array = Buffer.from(bytes); rest.length > 0; ) {
      const left = this.receive(rest)
      if (left.length === rest.length) throw new Error(`${left.length} bytes find no room`)
      rest = left
    }
  }

  /** The kernel takes up to `count` bytes; rings the holder if it asks for it. */
  send(count: number): string {
    const bytes = Buffer.alloc(Math.min(count, this.outbound.readable))
    this.outbound.copy(bytes)
    if (this.outbound.consume(bytes.length)) this.ringHolder()
    return bytes.toString()
  }

  endInbound(how: EndName): void {
    this.channel.endInbound(how)
    this.ringHolder()
  }

  close(how: EndName): void {
    this.channel.endInbound(how)
    this.channel.close(how)
    this.ringHolder()
  }

  ringHolder(): void {
    this.source.rung()
    this.sink.rung()
  }
}
