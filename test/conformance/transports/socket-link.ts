/** A stream reader and writer of this thread, and the served connection at their other end. */
import { inspect } from 'node:util'
import type { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { until } from '../../support/until.ts'
import type { WriterLink } from '../transport.ts'
import type { ServedConnection } from './peer-server.ts'

export function socketLink(
  reader: StreamReader,
  writer: StreamWriter,
  { stream, socket, peer }: ServedConnection,
): WriterLink<StreamReader, StreamWriter> {
  let sent = 0
  const send = (text: string | Uint8Array): void => {
    const bytes = Buffer.from(text)
    sent += bytes.length
    stream.write(bytes)
  }
  return {
    reader,
    writer,
    peer,
    send,
    arrive: async text => {
      send(text)
      await until('the bytes arrived', () => reader.offset + reader.buffered >= sent)
    },
    finish: async () => {
      stream.end()
      await until('the end arrived', () => inspect(reader).includes(' eof'))
    },
    break: async () => {
      socket.resetAndDestroy()
      await until('the reset arrived', () => reader.exception() !== null)
    },
  }
}
