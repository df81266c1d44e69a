/** The texts of `sockpool.v1`, which say what to do; bytes travel in binary messages. */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { StreamEnding } from '../../streams/byte-source.ts'
import { ClientFault } from './stream-close.ts'

/** What a client may say. */
export type StreamMessage =
  /** Its direction has ended. */
  | { readonly kind: 'eof' }
  /** It has all bytes before this stream offset. */
  | { readonly kind: 'consumed'; readonly offset: number }

/** Errors: ClientFault for a text that says nothing. */
export function readStreamMessage(text: string): StreamMessage {
  const value = parsed(text)
  const keys = Object.keys(value)
  const { eof, consumed } = value
  if (keys.length === 1 && eof === true) return { kind: 'eof' }
  if (keys.length === 1 && Number.isSafeInteger(consumed) && Number(consumed) >= 0)
    return { kind: 'consumed', offset: Number(consumed) }
  throw senseless('a text is {"eof":true} or, with ack=true, {"consumed":OFFSET}; bytes are binary messages')
}

/** Where this stream stands, as the first message of one with `ack=true`. */
export function positions(readOffset: number, writeOffset: number): string {
  return JSON.stringify({ readOffset, writeOffset })
}

/** Bytes up to this stream offset are accepted for sending. */
export function accepted(offset: number): string {
  return JSON.stringify({ accepted: offset })
}

/** The peer's direction has ended. One that was cut short says so: bytes may be missing. */
export function ended(how: StreamEnding | null): string {
  return JSON.stringify(how === 'truncated' ? { eof: true, end: how } : { eof: true })
}

export function senseless(message: string): ClientFault {
  return new ClientFault(new SockpoolError('INVALID_REQUEST', message))
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  if (text.length > LIMITS.streamTextCharsMax) return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
