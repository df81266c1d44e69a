/** One round trip on a blocking lease: write, drain, read one reply. */
import type { CallBounds } from '../../base/call-bounds.ts'
import { LimitOverrunError, SockpoolError } from '../../base/errors.ts'
import type { BlockingReader, BlockingReadOptions } from '../../streams/blocking/blocking-reader.ts'
import type { ExchangeReply, ReadSpec } from '../lease/exchange.ts'
import { hasAnswered, replyToEnd, tripError } from '../lease/whole-reply.ts'
import type { BlockingLease } from './blocking-lease.ts'

/** As `exchangeOn`. Errors: those of write, drain and read; INCOMPLETE_READ. */
export function exchangeSyncOn(
  lease: BlockingLease,
  bytes: string | Uint8Array,
  read: ReadSpec,
  limit: number | undefined,
  wait: CallBounds,
): ExchangeReply {
  const startedMs = performance.now()
  const left = (): CallBounds => wait.left(startedMs, performance.now())
  const { reader, writer, reused } = lease
  try {
    writer.write(bytes, left())
    drain(lease, left())
    const offset = lease.readOffset
    const data = readReply(lease, read, limit, left())
    return { data, reused, offset, eof: reader.atEof(), ending: reader.ending }
  } catch (error) {
    throw tripError(error, { bytes, bytesAccepted: writer.offset, ending: reader.ending })
  }
}

function drain({ reader, writer }: BlockingLease, wait: CallBounds): void {
  try {
    writer.drain(wait)
  } catch (error) {
    if (!hasAnswered(error, writer, reader)) throw error
  }
}

function readReply(
  { reader, allowTruncated }: BlockingLease,
  read: ReadSpec,
  limit: number | undefined,
  wait: CallBounds,
): Buffer {
  // Not by readLine, which at EOF gives what is left of a line.
  if ('line' in read) return reader.readUntil('\n', wait)
  if ('until' in read) return reader.readUntil(read.until, wait)
  if ('exactly' in read) return reader.readExactly(read.exactly, wait)
  if ('eof' in read) {
    // What came before a reset is not the whole of a reply that ends with the stream.
    const data = readToEnd(reader, limit, {
      timeoutMs: wait.timeoutMs,
      allowedMs: wait.allowedMs,
      onReset: 'raise',
    })
    return replyToEnd(data, reader.ending, allowTruncated)
  }
  if ('none' in read) return Buffer.alloc(0)
  throw new SockpoolError('INVALID_REQUEST', 'read says how the reply ends')
}

/** Bounded: one byte more than the limit is as good as the end, and says that there is more. */
function readToEnd(reader: BlockingReader, limit: number | undefined, wait: BlockingReadOptions): Buffer {
  if (limit === undefined) return reader.read(-1, wait)
  if (reader.peek(limit + 1, wait).length > limit)
    throw new LimitOverrunError(`more than ${limit} bytes came before EOF`, limit)
  return reader.read(-1, wait)
}
