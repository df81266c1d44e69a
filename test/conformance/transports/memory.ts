/** `new StreamReader()`, fed by the case. */
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { type Surface, surfaceHere } from '../surface.ts'
import type { Link } from '../transport.ts'

export const memory: Surface = surfaceHere('memory', {
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
})
