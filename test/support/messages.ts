/** Messages cut out of bytes that come one by one, with a cutter that another thread goes on with after each. */
import type { Cutting, Decoder } from '../../src/parse/formats/format.ts'
import { TextSink } from '../../src/parse/formats/text-sink.ts'

type Write = (message: Buffer, sink: TextSink) => void

/** The values, in order. The input must end with a message, or between two. */
export function valuesByByte(decoder: Decoder, input: Buffer): unknown[] {
  return cutByByte(decoder, input).map(message => decoder.decode(Buffer.from(message)))
}

/** As `valuesByByte`, but what is written of each message. */
export function messagesOf(cutting: Cutting, input: Buffer, write: Write): string[] {
  return cutByByte(cutting, input).map(message => {
    const sink = new TextSink(0)
    write(Buffer.from(message), sink)
    return Buffer.from(sink.finish()).toString()
  })
}

export function cutByByte(cutting: Cutting, input: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let start = 0; start < input.length; ) {
    const length = lengthByByte(cutting, input.subarray(start))
    if (length === null) break
    messages.push(input.subarray(start, start + length))
    start += length
  }
  return messages
}

function lengthByByte(cutting: Cutting, rest: Buffer): number | null {
  let cutter = cutting.cutter()
  for (let at = 0; at < rest.length; at++) {
    const length = cutter.push(rest.subarray(at, at + 1))
    if (length > 0) return length
    const saved = cutter.save()
    if (saved !== null) cutter = cutting.cutter(structuredClone(saved))
  }
  const length = cutter.finish()
  if (length === 'partial') throw new Error('the input ends within a message')
  return length === 'none' ? null : length
}
