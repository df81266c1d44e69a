/**
 * The stream reader for plain blocking code: the calls, limits and errors of StreamReader, but each returns its
 * bytes and blocks the thread until they are there. It runs in parse workers, where a user's module reads a live
 * connection with it, and in threads that opted into synchronous leases; never on a thread that has an event
 * loop to serve.
 *
 * The bytes stay in the source until a call can be served whole, so that one that times out loses nothing.
 */
import { IncompleteReadError, SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { BlockingSource } from './blocking-source.ts'
import { isFinal, type StreamEnd } from './byte-source.ts'
import { frontBytes } from './front-bytes.ts'
import { naturalCount, positiveLimit, wholeCount } from './read-options.ts'
import { parseSeparators, SeparatorSearch } from './separator-search.ts'

export type BlockingReaderOptions = {
  /** Bytes before a separator, for calls that do not say. Default: LIMITS.readerLimitBytes. */
  readonly limit?: number | undefined
  /** Milliseconds a call may block, for calls that do not say. Default: no bound. */
  readonly timeoutMs?: number | undefined
  /** The instant, on the clock of `performance.now()`, beyond which no call blocks. Default: none. */
  readonly deadline?: number | undefined
}

export type BlockingReadOptions = {
  /** Milliseconds this call may block. */
  readonly timeoutMs?: number | undefined
}

export type BlockingReadUntilOptions = BlockingReadOptions & {
  /** Bytes before the separator that this call may pass. */
  readonly limit?: number | undefined
}

const NEWLINE: readonly Uint8Array[] = [Uint8Array.of(0x0a)]

/** Source: asyncio.StreamReader, 3.13. */
export class BlockingReader {
  readonly limit: number
  readonly #source: BlockingSource
  readonly #timeoutMs: number
  readonly #deadline: number

  constructor(source: BlockingSource, options: BlockingReaderOptions = {}) {
    this.#source = source
    this.limit = positiveLimit(options.limit ?? LIMITS.readerLimitBytes)
    this.#timeoutMs = options.timeoutMs ?? Number.POSITIVE_INFINITY
    this.#deadline = options.deadline ?? Number.POSITIVE_INFINITY
  }

  /** Bytes that a call can have without blocking. */
  get buffered(): number {
    return this.#source.available
  }

  /** True when the stream has ended cleanly and every byte of it was read. Never blocks. */
  atEof(): boolean {
    return isFinal(this.#source.end) && this.#source.available === 0
  }

  /** The error that broke the stream and that every read throws, or null. */
  exception(): Error | null {
    const end = this.#source.end
    return end?.kind === 'failed' ? end.error : null
  }

  /**
   * Reads 1..`n` bytes, as soon as there is one; without `n` (or below 0) everything up to the end.
   *
   * An empty result is the end, or `n` = 0. Errors: READ_TIMEOUT (nothing removed), the stream's own.
   */
  read(n = -1, options: BlockingReadOptions = {}): Buffer {
    const count = wholeCount(n, 'read')
    this.#openEnd()
    if (count === 0) return Buffer.alloc(0)
    this.#await('read', count < 0 ? Number.MAX_SAFE_INTEGER : 1, this.#until(options))
    const { available } = this.#source
    return this.#source.take(count < 0 ? available : Math.min(count, available))
  }

  /**
   * Reads exactly `n` bytes.
   *
   * Errors: INCOMPLETE_READ (all that was left is in `partial`), READ_TIMEOUT (nothing removed),
   *   INVALID_REQUEST for `n` below 0, the stream's own.
   */
  readExactly(n: number, options: BlockingReadOptions = {}): Buffer {
    const count = naturalCount(n, 'readexactly')
    this.#openEnd()
    if (count === 0) return Buffer.alloc(0)
    this.#await('readexactly', n, this.#until(options))
    const { available } = this.#source
    if (available < n) throw new IncompleteReadError(this.#source.take(available), n)
    return this.#source.take(n)
  }

  /**
   * Reads up to and including the separator that ends first; `separator` is a string or bytes, or an Array of them.
   *
   * Errors: LIMIT_OVERRUN (nothing removed; `consumed` may be skipped), INCOMPLETE_READ (all that was left is in
   *   `partial`), READ_TIMEOUT (nothing removed), INVALID_SEPARATOR, TypeError, the stream's own.
   */
  readUntil(
    separator: string | Uint8Array | ReadonlyArray<string | Uint8Array> = '\n',
    options: BlockingReadUntilOptions = {},
  ): Buffer {
    return this.#readUntil('readuntil', parseSeparators(separator), 'keep', options)
  }

  /**
   * Reads a line with its newline; at the end of the stream what is left, which may be nothing.
   *
   * Errors: LIMIT_OVERRUN (a line too long is removed with its newline; without one, all that has come),
   *   READ_TIMEOUT (nothing removed), the stream's own.
   */
  readLine(options: BlockingReadUntilOptions = {}): Buffer {
    try {
      return this.#readUntil('readline', NEWLINE, 'drop', options)
    } catch (error) {
      if (error instanceof IncompleteReadError) return error.partial
      throw error
    }
  }

  /**
   * Looks at the next `n` bytes, or at what is left before the end, and leaves them readable.
   *
   * Errors: READ_TIMEOUT, INVALID_REQUEST for `n` below 0, the stream's own.
   */
  peek(n: number, options: BlockingReadOptions = {}): Buffer {
    const count = naturalCount(n, 'peek')
    this.#openEnd()
    if (count === 0) return Buffer.alloc(0)
    this.#await('peek', n, this.#until(options))
    return frontBytes(this.#source.views(), n)
  }

  /** The lines to the end of the stream, with their newlines; an unterminated last one too. */
  *[Symbol.iterator](): Generator<Buffer, void, void> {
    for (let line = this.readLine(); line.length > 0; line = this.readLine()) yield line
  }

  #readUntil(
    what: string,
    separators: readonly Uint8Array[],
    overlong: 'keep' | 'drop',
    options: BlockingReadUntilOptions,
  ): Buffer {
    const search = new SeparatorSearch(separators, positiveLimit(options.limit ?? this.limit))
    const until = this.#until(options)
    for (;;) {
      // The end is read first: what precedes it is available by then, so the search below misses nothing.
      const end = this.#openEnd()
      const { available } = this.#source
      const match = search.find(this.#source.views(), available)
      const overrun = search.overrunOf(match)
      if (overrun) {
        if (overlong === 'drop') this.#source.skip(match?.end ?? overrun.consumed)
        throw overrun
      }
      if (match) return this.#source.take(match.end)
      if (end) throw new IncompleteReadError(this.#source.take(available), null)
      this.#await(what, available + 1, until)
    }
  }

  /** Blocks until `count` bytes or the end are there. */
  #await(what: string, count: number, until: Until): void {
    if (this.#source.available < count && this.#source.end === null) {
      const leftMs = Math.max(0, until.instant - performance.now())
      if (!this.#source.waitFor(count, leftMs))
        throw new SockpoolError('READ_TIMEOUT', `${what} took longer than ${until.allowedMs} ms`, {
          bytesDelivered: 0,
        })
    }
    this.#openEnd()
  }

  /** How the stream ended, or null; a broken one throws, even with bytes left. */
  #openEnd(): StreamEnd | null {
    const { end } = this.#source
    if (end?.kind === 'failed') throw end.error
    return end
  }

  #until(options: BlockingReadOptions): Until {
    const now = performance.now()
    const instant = Math.min(now + (options.timeoutMs ?? this.#timeoutMs), this.#deadline)
    return { instant, allowedMs: Math.max(0, Math.round(instant - now)) }
  }
}

/** When a call must be done, and how long that was when it began. */
type Until = { readonly instant: number; readonly allowedMs: number }
