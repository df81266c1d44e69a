/**
 * What makes a reply whole, and what a round trip that failed says of itself. A reader gives at EOF what is left, as
 * asyncio's; whoever exchanges a question for an answer must never take a part of the answer for all of it.
 */
import { copyError, type ErrorCode, IncompleteReadError, SockpoolError } from '../../base/errors.ts'
import type { StreamEnding } from '../../streams/byte-source.ts'

/** The connection ended, by whoever's doing; where nothing was sent on it, another may serve the same call. */
const CONNECTION_ENDED: ReadonlySet<ErrorCode> = new Set(['CONNECTION_RESET', 'WORKER_LOST'])

/**
 * The reply that ends with the stream, where that is all of it.
 *
 * Errors: INCOMPLETE_READ where no byte came, or where TLS did not say that it was the last, unless `allowTruncated`.
 */
export function replyToEnd(data: Buffer, ending: StreamEnding | null, allowTruncated: boolean): Buffer {
  const isCut = ending === 'truncated' && !allowTruncated
  if (data.length > 0 && !isCut) return data
  throw incomplete(data, null, ending)
}

type Sent = { readonly offset: number; readonly dropped: number }
type Heard = { exception(): Error | null }

/**
 * Whether a drain has failed only because the peer answered and ended, in order, before it was asked for room: then the
 * read tells what the answer was.
 */
export function hasAnswered(error: unknown, writer: Sent, reader: Heard): boolean {
  const isEnd = error instanceof SockpoolError && error.code === 'CONNECTION_RESET'
  return isEnd && writer.offset > 0 && writer.dropped === 0 && reader.exception() === null
}

/** A round trip that failed, when so many bytes of it were accepted for sending. */
export type FailedTrip = {
  /** What the call was to send. */
  readonly bytes: string | Uint8Array
  readonly bytesAccepted: number
  readonly ending: StreamEnding | null
}

/**
 * What the caller of a round trip hears. What was accepted may have reached the peer, whatever came after: then no error
 * says that a repeat is safe. The errors are copies: that of a broken connection is shared by all who were on it.
 */
export function tripError(error: unknown, { bytes, bytesAccepted, ending }: FailedTrip): unknown {
  if (!(error instanceof SockpoolError)) return error
  const isUnsent = bytes.length > 0 && CONNECTION_ENDED.has(error.code)
  const retryable = bytesAccepted === 0 && (error.retryable || isUnsent)
  const told =
    error instanceof IncompleteReadError ? incomplete(error.partial, error.expected, ending) : error
  return copyError(told, retryable).add({ bytesAccepted })
}

function incomplete(
  partial: Buffer,
  expected: number | null,
  ending: StreamEnding | null,
): IncompleteReadError {
  const wanted = expected === null ? '' : ` of ${expected}`
  const isCut = ending === 'truncated'
  const how = isCut ? 'TLS was cut without a close_notify' : 'the peer ended'
  const message = `${how} after ${partial.length}${wanted} bytes, before the reply was known to be whole`
  return new IncompleteReadError(partial, expected, isCut ? { reason: 'tls_truncated' } : {}, message)
}
