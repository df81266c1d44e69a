/**
 * Reads one message from a live connection by plain blocking calls. The cutter looks at the bytes where they lie;
 * they are copied once, when the message is whole, and only the copy is parsed.
 *
 * A reader whose peer has not sent the whole message is given back rather than kept, with what the cutter has seen, so
 * that the thread is free for others until more bytes come.
 */
import { IncompleteReadError, SockpoolError } from '../../base/errors.ts'
import type { BlockingSource } from '../../streams/byte-source.ts'
import { frontBytes } from '../../streams/reading/front-bytes.ts'
import type { Cutter, CutterState, Cutting } from './format.ts'

/** One turn of a thread at a message. Plain data. */
export type Turn = {
  /** Bytes that a message may have. */
  readonly bytesMax: number
  /** Bytes of a message that is decoded here; a longer one is given back as it is. */
  readonly decodeBytesMax: number
  /** Milliseconds that the turn may block while nothing comes. */
  readonly patienceMs: number
  /** What the turn before has seen of the message; null for the first. */
  readonly seen: SeenMessage | null
}

/** How far the bytes of a message that is not whole have been looked at. */
export type SeenMessage = { readonly count: number; readonly cutter: CutterState | null }

export type TurnResult<T> =
  | { readonly kind: 'message'; readonly value: T }
  /** A message to decode elsewhere, in memory of its own. Nothing was removed. */
  | { readonly kind: 'cut'; readonly message: Uint8Array<ArrayBuffer> }
  /** Nothing was removed. */
  | { readonly kind: 'unfinished'; readonly seen: SeenMessage }

/**
 * The next message as `decode` makes it a value. Its bytes are removed, and no byte after them. One that is longer than
 * this thread decodes stays unread, and comes back as it is.
 *
 * `deadline` is an instant on the clock of `performance.now()`, after which nobody blocks. A message that came whole
 * before the connection broke is still a message.
 * Errors: PARSE_FAILED, PARSE_LIMIT (nothing removed; `offset` counts from the first unread byte), INCOMPLETE_READ (all
 *   removed; an empty `partial` says that the stream ended between two messages), the stream's own.
 */
export function readMessage<T>(
  source: BlockingSource,
  format: Cutting & { readonly decode: (message: Buffer) => T },
  turn: Turn,
  deadline: number,
): TurnResult<T> {
  const cutter = format.cutter(turn.seen?.cutter ?? undefined)
  const length = awaitMessage(source, cutter, turn, deadline)
  if (typeof length !== 'number') return length
  const message = frontBytes(source.views(), length)
  if (length > turn.decodeBytesMax) return { kind: 'cut', message: alone(message) }
  const value = format.decode(message)
  source.skip(length)
  return { kind: 'message', value }
}

/** The bytes without neighbours in their memory, so that it may be transferred. */
function alone(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, length } = bytes
  return buffer instanceof ArrayBuffer && buffer.byteLength === length
    ? new Uint8Array(buffer)
    : new Uint8Array(bytes)
}

function awaitMessage(
  source: BlockingSource,
  cutter: Cutter,
  { bytesMax, patienceMs, seen: before }: Turn,
  deadline: number,
): number | TurnResult<never> {
  // A cutter that could not say what it had seen begins again.
  let seen = before?.cutter ? before.count : 0
  for (;;) {
    // The end is read first: what precedes it is available by then, so that nothing before it is missed.
    const { end } = source
    const count = Math.min(source.available, bytesMax)
    const length = pushUnseen(cutter, source.views(), seen, count)
    if (length > 0) return length
    seen = count
    if (seen === bytesMax)
      throw new SockpoolError('PARSE_LIMIT', `a message is longer than ${seen} bytes`, { offset: seen })
    if (end?.kind === 'failed') throw end.error
    if (end) return lastMessage(source, cutter)
    const leftMs = Math.max(0, Math.min(patienceMs, deadline - performance.now()))
    if (!source.waitFor(seen + 1, leftMs))
      return { kind: 'unfinished', seen: { count: seen, cutter: cutter.save() } }
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
