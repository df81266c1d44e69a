/** The I/O worker's end of an inbound ring, in the hands of a test: what finds no room waits for some. */
import { type Channel, IN } from '../../../src/channel/channel.ts'
import type { RingProducer } from '../../../src/channel/ring.ts'

/** Resolves when all is in the ring. `ring` is called where the reader asks to be told. */
export async function fillRing(
  channel: Channel,
  producer: RingProducer,
  text: string | Uint8Array,
  ring: () => void,
): Promise<void> {
  for (let rest: Uint8Array = Buffer.from(text); rest.length > 0; ) {
    const count = producer.fill(rest)
    if (producer.publish(count)) ring()
    rest = rest.subarray(count)
    // Room that is made is told on its own word, so that no doorbell is needed here.
    while (producer.free === 0 && producer.wishRoom(1, 'block')) await channel.words.waitAsync(IN.room, -1)
  }
}
