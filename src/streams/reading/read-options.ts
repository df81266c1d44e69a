/** What a caller may say about one read, and the checks that the asynchronous and the blocking reader share. */
import { SockpoolError } from '../../base/errors.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { ReadTransport } from './memory-source.ts'

export type Separator = string | Uint8Array

/** `raise`: every read fails at once, as asyncio's. `drain-then-raise`: the received bytes first. */
export type OnReset = 'raise' | 'drain-then-raise'

/**
 * What becomes of a line that is longer than the limit. `raise`: as asyncio, whose readline drops what it has of
 * the line and whose readuntil drops nothing. `discard-line`: the error comes once, all of the line is dropped,
 * what of it is still to come too, and the next call reads the line after it.
 */
export type OnOverrun = 'raise' | 'discard-line'

export type StreamReaderOptions = {
  /** Bytes; default 65,536. */
  readonly limit?: number | undefined
  /** Default `raise`. */
  readonly onReset?: OnReset | undefined
  /** What feeds a reader over memory, as `setTransport`. */
  readonly transport?: ReadTransport | undefined
}

export type ReadOptions = WaitOptions & {
  /**
   * `readUntil`, `readLine`: bytes before the separator, above 0; default: the reader's. `read` to the end: the
   * most bytes it may gather, default unbounded; past it LIMIT_OVERRUN, and nothing is removed.
   */
  readonly limit?: number | undefined
  /** `readLine`, `readUntil`; default `raise`. */
  readonly onOverrun?: OnOverrun | undefined
  /** What a read does after the connection broke while bytes are still there; default: the reader's. */
  readonly onReset?: OnReset | undefined
}

/** A read, and which separator ended it: its index among those that were given. */
export type MatchedRead = { readonly data: Buffer; readonly match: number }

/** A limit as it is. Errors: INVALID_REQUEST where it is not above 0. */
export function positiveLimit(limit: number): number {
  if (!(limit > 0)) throw new SockpoolError('INVALID_REQUEST', 'Limit cannot be <= 0')
  return limit
}

/** A byte count as it is, for the named call. Errors: TypeError where it is not a whole number. */
export function wholeCount(n: number, call: string): number {
  if (!Number.isSafeInteger(n)) throw new TypeError(`${call} size must be a whole number`)
  return n
}

/** As `wholeCount`. Errors: also INVALID_REQUEST where it is below 0. */
export function naturalCount(n: number, call: string): number {
  if (wholeCount(n, call) >= 0) return n
  throw new SockpoolError('INVALID_REQUEST', `${call} size can not be less than zero`)
}

/** The bytes that `readInto` may write. Errors: TypeError where it is no Uint8Array. */
export function targetOf(target: Uint8Array): Buffer {
  if (!(target instanceof Uint8Array)) throw new TypeError('readInto() takes a Uint8Array')
  return Buffer.from(target.buffer, target.byteOffset, target.length)
}
