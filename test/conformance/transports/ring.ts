/** StreamReader and StreamWriter on a channel whose other end, an I/O worker's, is in the hands of the test. */
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { ChannelPair } from '../../support/channel-pair.ts'
import { until } from '../../support/until.ts'
import { type Surface, surfaceHere } from '../surface.ts'
import type { WriterLink } from '../transport.ts'
import { fillRing } from './ring-filler.ts'

export const ring: Surface = surfaceHere('ring', {
  open: async options => {
    const pair = new ChannelPair({ inboundBytes: 131_072, outboundBytes: 65_536 })
    const reader = new StreamReader(options, pair.source)
    const writer = new StreamWriter(pair.sink, { readerException: () => reader.exception() })
    const push = (text: string | Uint8Array): Promise<void> =>
      fillRing(pair.channel, pair.inbound, text, () => pair.ringHolder())
    const link: WriterLink = {
      reader,
      writer,
      send: text => void push(text),
      arrive: push,
      finish: async () => pair.endInbound('fin'),
      break: async () => pair.close('reset'),
      peer: {
        receive: async count => {
          let got = ''
          await until(`${count} bytes were sent`, () => {
            got += pair.send(count - got.length)
            return got.length === count
          })
          // An I/O worker looks at the shut word when it has sent all there is.
          if (pair.channel.shut === 'close' && pair.outbound.readable === 0) pair.close('closed')
          return got
        },
        ended: () => until('the direction ended', () => pair.channel.shut !== 'open'),
        close: async () => pair.close('closed'),
      },
    }
    return link
  },
})
