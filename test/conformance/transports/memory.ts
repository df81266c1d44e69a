/** `new StreamReader()`, fed by the test. */
import { StreamReader } from '../../../src/streams/stream-reader.ts'
import type { Link, Transport } from '../transport.ts'

export const memory: Transport = {
  name: 'memory',
  traits: new Set(['memory', 'whole', 'break']),
  open: async options => {
    const reader = new StreamReader(options)
    const send = (text: string | Uint8Array): void => reader.feedData(Buffer.from(text))
    const link: Link<StreamReader> = {
      reader,
      send,
      arrive: async text => send(text),
      finish: async () => reader.feedEof(),
      break: async () => reader.setException(new Error('broken')),
    }
    return link
  },
}
