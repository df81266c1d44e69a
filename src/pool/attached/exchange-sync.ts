/** One round trip on a blocking lease: write, drain, read one reply. */
import { copyError, LimitOverrunError, SockpoolError } from '../../base/errors.ts'
import { remainingMs } from '../../base/wait.ts'
import type { BlockingReader } from '../../streams/blocking/blocking-reader.ts'
import type { OnReset } from '../../streams/reading/read-options.ts'
import type { ExchangeReply, ReadSpec } from '../lease/exchange.ts'
import type { BlockingLease } from './blocking-lease.ts'

/** As `exchangeOn`. Errors: those of write, drain and read. */
export function exchangeSyncOn(
  lease: BlockingLease,
  bytes: string | Uint8Array,
  read: ReadSpec,
  limit: number | undefined,
  timeoutMs: number | undefined,
): ExchangeReply {
  const startedMs = performance.now()
  const left = (): { readonly timeoutMs?: number } => {
    const leftMs = remainingMs(timeoutMs, startedMs, performance.now())
    return leftMs === undefined ? {} : { timeoutMs: leftMs }
  }
  const { reader, writer } = lease
  try {
    writer.write(bytes, left())
    writer.drain(left())
    const offset = lease.readOffset
    const data = readReply(reader, read, limit, left())
    return { data, reused: lease.reused, offset, eof: reader.atEof() }
  } catch (error) {
    throw error instanceof SockpoolError ? copyError(error).add({ bytesAccepted: writer.offset }) : error
  }
}

function readReply(
  reader: BlockingReader,
  read: ReadSpec,
  limit: number | undefined,
  wait: { readonly timeoutMs?: number },
): Buffer {
  if ('line' in read) return reader.readLine(wait)
  if ('until' in read) return reader.readUntil(read.until, wait)
  if ('exactly' in read) return reader.readExactly(read.exactly, wait)
  // What came before a reset is not the whole of a reply that ends with the stream.
  if ('eof' in read) return readToEnd(reader, limit, { ...wait, onReset: 'raise' })
  if ('none' in read) return Buffer.alloc(0)
  throw new SockpoolError('INVALID_REQUEST', 'read says how the reply ends')
}

/** Bounded: one byte more than the limit is as good as the end, and says that there is more. */
function readToEnd(
  reader: BlockingReader,
  limit: number | undefined,
  wait: { readonly timeoutMs?: number; readonly onReset: OnReset },
): Buffer {
  if (limit === undefined) return reader.read(-1, wait)
  if (reader.peek(limit + 1, wait).length > limit)
    throw new LimitOverrunError(`more than ${limit} bytes came before EOF`, limit)
  return reader.read(-1, wait)
}
