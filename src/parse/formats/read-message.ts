/**
 * Reads one message from a live connection by plain blocking calls. The cutter looks at the bytes where they lie;
 * they are copied once, when the message is whole, and only the copy is parsed.
 */
import { IncompleteReadError, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { tookLonger } from '../../base/wait.ts'
import type { BlockingSource } from '../../streams/byte-source.ts'
import { frontBytes } from '../../streams/reading/front-bytes.ts'
import type { Cutter, Decoder } from './format.ts'

/**
 * The value of the next message. Its bytes are removed, and no byte after them.
 *
 * `deadline` is an instant on the clock of `performance.now()`, `allowedMs` the time until then, as its caller gave it. A
 * message that came whole before the connection
 * broke is still a message.
 * Errors: PARSE_FAILED, PARSE_LIMIT (nothing removed; `offset` counts from the first unread byte), READ_TIMEOUT
 *   (nothing removed), INCOMPLETE_READ (all removed; an empty `partial` says that the stream ended between two
 *   messages), the stream's own.
 */
export function readMessage(
  source: BlockingSource,
  decoder: Decoder,
  deadline: number,
  allowedMs: number,
): unknown {
  const length = awaitMessage(source, decoder.cutter(), deadline, allowedMs)
  const value = decoder.decode(frontBytes(source.views(), length))
  source.skip(length)
  return value
}

function awaitMessage(source: BlockingSource, cutter: Cutter, deadline: number, allowedMs: number): number {
  let seen = 0
  for (;;) {
    // The end is read first: what precedes it is available by then, so that nothing before it is missed.
    const { end } = source
    const count = Math.min(source.available, LIMITS.parseInputBytesMax)
    const length = pushUnseen(cutter, source.views(), seen, count)
    if (length > 0) return length
    seen = count
    if (seen === LIMITS.parseInputBytesMax)
      throw new SockpoolError('PARSE_LIMIT', `a message is longer than ${seen} bytes`, { offset: seen })
    if (end?.kind === 'failed') throw end.error
    if (end) return lastMessage(source, cutter)
    if (!source.waitFor(seen + 1, Math.max(0, deadline - performance.now())))
      throw new SockpoolError('READ_TIMEOUT', tookLonger('parse()', allowedMs), { bytesDelivered: 0 })
  }
}

function pushUnseen(cutter: Cutter, views: Iterable<Uint8Array>, seen: number, count: number): number {
  let start = 0
  for (const view of views) {
    const from = Math.max(0, seen - start)
    const to = Math.min(view.length, count - start)
    if (from < to) {
      const length = cutter.push(view.subarray(from, to))
      if (length > 0) return length
    }
    start += view.length
  }
  return 0
}

function lastMessage(source: BlockingSource, cutter: Cutter): number {
  const length = cutter.finish()
  if (typeof length === 'number') return length
  const rest = source.take(source.available)
  throw new IncompleteReadError(length === 'partial' ? rest : Buffer.alloc(0), null)
}
