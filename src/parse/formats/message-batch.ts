/**
 * All whole messages at the front of some bytes of a stream. The batch ends before a message that is not whole, that is
 * wrong, or too large: whoever reads that one alone hears what there is to say about it.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { BatchPacking, type MessageBatch } from '../../base/value-batch.ts'
import type { Decoder } from './format.ts'

/** `input` is a private copy, and is to stay as it is until the batch is made. */
export function messageBatch(decoder: Decoder, input: Buffer): MessageBatch {
  const packing = new BatchPacking()
  const lengths: number[] = []
  let start = 0
  while (start < input.length && lengths.length < LIMITS.batchMessagesMax) {
    const length = addNext(decoder, input.subarray(start), packing)
    if (length === 0) break
    lengths.push(length)
    start += length
  }
  return { lengths: Uint32Array.from(lengths), parts: packing.finish() }
}

/** The length of the next message, whose value is added; 0 where the batch ends. */
function addNext(decoder: Decoder, rest: Buffer, packing: BatchPacking): number {
  try {
    const length = decoder.cutter().push(rest)
    if (length === 0) return 0
    const message = rest.subarray(0, length)
    // A long text would hold up the thread that parses it; as a value it crosses in pieces.
    if (length <= LIMITS.batchTextBytes && decoder.check?.(message)) packing.addText(message)
    else packing.addValue(decoder.decode(message))
    return length
  } catch (error) {
    if (error instanceof SockpoolError) return 0
    throw error
  }
}
