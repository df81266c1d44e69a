/** A writer whose buffers are so small that every bound of it is met, and what tells how its calls stand. */
import { StreamWriter, type StreamWriterOptions } from '../../src/streams/writing/stream-writer.ts'
import { ChannelPair } from './channel-pair.ts'

export const SMALL_RINGS = { inboundBytes: 64, outboundBytes: 64 }

/** A writer over a ring of 64 bytes with marks of 32 and 8. */
export function smallWriter(options: StreamWriterOptions = {}): { pair: ChannelPair; writer: StreamWriter } {
  const pair = new ChannelPair(SMALL_RINGS)
  const writer = new StreamWriter(pair.sink, options)
  writer.setWriteBufferLimits(32, 8)
  return { pair, writer }
}

/** Whether a promise has settled by now. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const marker = Symbol('pending')
  const turn = new Promise(resolve => setImmediate(resolve, marker))
  return (await Promise.race([promise, turn])) !== marker
}

/** So many letters, the alphabet over and over. */
export function letters(length: number): string {
  return Array.from({ length }, (_, index) => String.fromCharCode(97 + (index % 26))).join('')
}
