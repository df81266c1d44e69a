/**
 * Where a StreamReader's bytes come from: memory, a channel's ring, an HTTP response. The source owns the
 * bytes; the reader owns the meaning (lines, separators, limits). Everything here is synchronous but the wish.
 */
export interface ByteSource {
  /** Bytes that can be taken now. */
  readonly available: number

  /** What ended the stream, or null while it is open. Bytes that are `available` still precede the end. */
  readonly end: StreamEnd | null

  /**
   * Views of the available bytes, in order, without copying. They are valid until the next call of `take`,
   * `skip` or `request`, and only to look for separators in: copy before parsing.
   */
  views(): Iterable<Uint8Array>

  /** Removes the first `count` (≤ available) bytes and returns them as a copy of their own. */
  take(count: number): Buffer

  /** As `take`, into the target, for whose length there are bytes. It is how `take` takes. */
  takeInto(target: Buffer): void

  /** Removes the first `count` (≤ available) bytes. */
  skip(count: number): void

  /** Makes a copy of the bytes the first of the available ones. Errors: that of a source that is its holder's no more. */
  putBack(bytes: Uint8Array): void

  /**
   * Asks for one call of `wake` as soon as `count` bytes are available or the end has come, however large
   * `count` is: a source of bounded memory sets the excess aside. Never calls back synchronously; returns
   * false, and forgets the wish, where it is fulfilled already. A new wish replaces the old; `null` withdraws.
   */
  request(count: number, wake: (() => void) | null): boolean

  /** Asks for one call of `wake` when the end has come, read or unread, which may be now; null withdraws. */
  onEnd(wake: (() => void) | null): void

  /**
   * A short cut to a line, where the source has one: takes the bytes up to the first such byte, and that byte. Null, and
   * nothing is taken, where it cannot be had like that: more than `most` bytes come before it, it is not there, or the
   * stream has ended. The bytes are their taker's own, in memory that they share with others that were taken so.
   */
  takeThrough?(byte: number, most: number): Buffer | null

  /** As `takeThrough`, for as many in a row as can be had so, at most `count`. */
  takeEachThrough?(byte: number, most: number, count: number): Buffer[]
}

/** A byte source that can also block its thread. Only parse workers and synchronous clients may use one. */
export interface BlockingSource extends ByteSource {
  /**
   * Blocks the thread until `count` bytes are available or the end has come; false when `timeoutMs` (Infinity: no
   * bound) passed first. As with `request`, `count` may be larger than the source's memory.
   */
  waitFor(count: number, timeoutMs: number): boolean
}

/**
 * How a stream ended. `fin`: the peer finished its direction (half-close or close), `tls` says how over TLS; `closed`: this side closed
 * or the connection ended without an error; `failed`: it broke, with the error that every later read throws, and
 * `afterFin` where the peer had finished its direction before; `isRevoked` where the connection goes on, or not, and
 * is this holder's no more: every call fails then, also those that a broken connection would let pass in silence.
 */
export type StreamEnd =
  | { readonly kind: 'fin'; readonly tls?: 'close_notify' | 'truncated' }
  | { readonly kind: 'closed' }
  | FailedEnd

export type FailedEnd = {
  readonly kind: 'failed'
  readonly error: Error
  readonly afterFin?: boolean
  readonly isRevoked?: boolean
}

/**
 * How a stream ended, for its reader: `fin` or, over TLS, `close_notify`: the peer finished its direction, or this side
 * closed; `truncated`: TLS ended without a close_notify, so that bytes may be missing; `reset`: it broke.
 */
export type StreamEnding = 'fin' | 'close_notify' | 'truncated' | 'reset'

/** Null while the stream is open, and where it is another's, whose end is not known here. */
export function endingOf(end: StreamEnd | null): StreamEnding | null {
  if (end === null || isRevoked(end)) return null
  if (end.kind === 'fin') return end.tls ?? 'fin'
  return isFinal(end) ? 'fin' : 'reset'
}

/** Whether the stream is another's by now. */
export function isRevoked(end: StreamEnd | null): end is FailedEnd {
  return end?.kind === 'failed' && end.isRevoked === true
}

/** For a call that fails once the stream is another's. Errors: the end's. */
export function assertOwned(end: StreamEnd | null): void {
  if (isRevoked(end)) throw end.error
}

/** Whether the bytes that are available are the last: the end was orderly, whatever broke after it. */
export function isFinal(end: StreamEnd | null): boolean {
  return end !== null && (end.kind !== 'failed' || end.afterFin === true)
}
