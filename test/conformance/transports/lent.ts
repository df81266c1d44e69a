/** BlockingReader in a thread of its own, over a channel whose I/O worker's end is in the hands of the test. */
import { allocateDoorbell } from '../../../src/channel/doorbell.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import { onCaseFinished, runCase, type Surface } from '../surface.ts'
import type { Link, Transport } from '../transport.ts'
import { fillRing } from './ring-filler.ts'
import type { TwinsData } from './twin-protocol.ts'
import { RemoteTwins, TwinThread } from './twins.ts'

let thread: TwinThread | null = null

export const lent: Surface = {
  name: 'lent',
  start: async () => {
    thread = await TwinThread.start({ handle: null })
  },
  run: async entry => {
    if (thread === null) throw new Error('it was not started')
    await runCase(entry, transportOf(thread))
  },
  stop: async () => await thread?.end(),
}

function transportOf(reading: TwinThread): Transport {
  return {
    open: async (options = {}) => {
      const channel = new SlabAllocator(
        { inboundBytes: 131_072, outboundBytes: 4_096 },
        new SlabNumbers(),
      ).take()
      const producer = channel.inboundProducer(channel.connectionTenure(channel.generation))
      // It may block for ever otherwise.
      onCaseFinished(() => channel.endInbound('closed'))
      const data = (await reading.ask({
        kind: 'lend',
        lent: {
          memory: channel.memory,
          epoch: channel.epoch,
          doorbell: allocateDoorbell(),
          position: { replay: 0, kept: new Uint8Array(0), aside: [] },
          onReset: 'raise',
        },
        options,
      })) as TwinsData
      const push = (text: string | Uint8Array): Promise<void> => fillRing(channel, producer, text, () => {})
      // Bytes and ends are there as soon as they are put there.
      const { reader } = new RemoteTwins(reading, data.twins, () => ({ arrived: 0, hasEnded: false }))
      const link: Link = {
        reader,
        send: text => void push(text),
        arrive: push,
        finish: async () => channel.endInbound('fin'),
        break: async () => channel.endInbound('reset'),
      }
      return link
    },
  }
}
