/** One end of a channel here, in the place of an I/O worker; the reading end is lent to parse workers. */
import { type Channel, IN } from '../../src/channel/channel.ts'
import { allocateDoorbell, Ringer } from '../../src/channel/doorbell.ts'
import type { RingProducer } from '../../src/channel/ring.ts'
import { DEFAULT_RING_SIZES, SlabAllocator, SlabNumbers } from '../../src/channel/slab.ts'
import { ChannelSource } from '../../src/streams/channel-ends/channel-source.ts'
import type { LentSource, LoanResult, ReturnedSource } from '../../src/streams/channel-ends/lent-source.ts'
import { until } from './until.ts'

export class LentPeer {
  readonly channel: Channel
  readonly source: ChannelSource
  readonly #ring: RingProducer
  readonly #doorbell = allocateDoorbell()

  constructor(replay = 0) {
    this.channel = new SlabAllocator(DEFAULT_RING_SIZES, new SlabNumbers()).take()
    this.#ring = this.channel.inboundProducer(this.channel.connectionTenure(this.channel.generation))
    this.source = new ChannelSource(this.channel, Ringer.of(this.#doorbell), this.channel.epoch, { replay })
  }

  async send(text: string): Promise<void> {
    let rest = Buffer.from(text)
    while (rest.length > 0) {
      const count = this.#ring.fill(rest)
      this.#ring.publish(count)
      rest = rest.subarray(count)
      // A wish to block on is notified on its own word, so that no doorbell needs an event loop here.
      while (this.#ring.free === 0 && this.#ring.wishRoom(1, 'block'))
        await this.channel.words.waitAsync(IN.room, -1)
    }
  }

  lend(): LentSource {
    const position = this.source.suspend()
    const { memory, epoch } = this.channel
    return { memory, epoch, doorbell: this.#doorbell, position, onReset: 'raise' }
  }

  /** Whether the borrower blocks until there is more to read. */
  get isAwaited(): boolean {
    return this.channel.words.load(IN.want) < 0
  }

  async awaited(): Promise<void> {
    await until('the borrower blocked', () => this.isAwaited)
  }

  /** Takes the reader back from where its borrower left it. */
  takeBack({ reader }: LoanResult): ReturnedSource {
    if (reader.kind !== 'returned') throw new Error(`the reader is ${reader.kind}`)
    this.source.resume(reader.returned.position)
    return reader.returned
  }

  rest(): string {
    return this.source.take(this.source.available).toString()
  }
}
