/**
 * The stream reader for plain blocking code: the calls, limits, options and errors of StreamReader, but each returns
 * its bytes and blocks the thread until they are there. It runs in parse workers, where a user's module reads a live
 * connection with it, and in threads that opted into synchronous leases; never on a thread that has an event
 * loop to serve.
 *
 * The bytes stay in the source until a call can be served whole, so that one that times out loses nothing. What a
 * call makes of the bytes that are there is BufferedReads's, for both readers alike; only the waiting is its own.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { typeFault } from '../../base/options.ts'
import { tookLonger } from '../../base/wait.ts'
import type { FrameInput } from '../../frames/frame-input.ts'
import type { BlockingSource, StreamEnding } from '../byte-source.ts'
import { BufferedReads } from '../reading/buffered-reads.ts'
import { endingSeparator } from '../reading/ending-separator.ts'
import { MessageReads } from '../reading/message-reads.ts'
import type { MessageSearch } from '../reading/message-search.ts'
import {
  type FramedReads,
  limitOption,
  type MatchedRead,
  NO_BOUNDS,
  naturalCount,
  type OnReset,
  ReadBounds,
  type ReadOptions,
  type Separator,
  targetOf,
  wholeCount,
} from '../reading/read-options.ts'
import { parseSeparators, SeparatorSearch } from '../reading/separator-search.ts'

export type BlockingReaderOptions = FramedReads & {
  /** Bytes before a separator, for calls that do not say. Default: LIMITS.readerLimitBytes. */
  readonly limit?: number | undefined
  /** Default `raise`. */
  readonly onReset?: OnReset | undefined
  /** Milliseconds a call may block, for calls that do not say. Default: no bound. */
  readonly timeoutMs?: number | undefined
  /** The instant, on the clock of `performance.now()`, beyond which no call blocks. Default: none. */
  readonly deadline?: number | undefined
  /** Milliseconds that the deadline allowed, which errors name; default: those that are left when a call begins. */
  readonly allowedMs?: number | undefined
}

/** As StreamReader's, but that no signal reaches a thread that blocks. */
export type BlockingReadOptions = Omit<ReadOptions, 'signal'>

const NEWLINE: readonly Uint8Array[] = [Uint8Array.of(0x0a)]

/** Source: asyncio.StreamReader, 3.13. */
export class BlockingReader {
  readonly limit: number
  readonly #source: BlockingSource
  readonly #reads: BufferedReads
  readonly #messages: MessageReads
  readonly #timeoutMs: number
  readonly #deadline: number
  readonly #allowedMs: number | undefined
  #interrupted = false

  /** Errors: INVALID_REQUEST for a limit that is not above 0. */
  constructor(source: BlockingSource, options: BlockingReaderOptions = {}) {
    this.#source = source
    this.limit = limitOption(options.limit ?? LIMITS.readerLimitBytes)
    this.#reads = new BufferedReads(source, options.onReset ?? 'raise')
    this.#messages = new MessageReads(source, this.#reads, options)
    this.#timeoutMs = options.timeoutMs ?? Number.POSITIVE_INFINITY
    this.#deadline = options.deadline ?? Number.POSITIVE_INFINITY
    this.#allowedMs = options.allowedMs
  }

  /** Bytes that a call can have without blocking. */
  get buffered(): number {
    return this.#source.available
  }

  /** Bytes that reads have taken since this reader began, less those put back: the stream offset of the next one. */
  get offset(): number {
    return this.#reads.taken
  }

  /** As `offset`, but what was put back counts still. */
  get seen(): number {
    return this.#reads.seen
  }

  /** Whether a wait ever ended before its bytes came. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  /** True when the stream has ended cleanly and every byte of it was read. Never blocks. */
  atEof(): boolean {
    return this.#reads.isAtEof
  }

  /** How the stream ended; null while it is open. See StreamReader. */
  get ending(): StreamEnding | null {
    return this.#reads.ending
  }

  /** The error that broke the stream, or null. */
  exception(): Error | null {
    return this.#reads.error
  }

  /**
   * Reads 1..`n` bytes, as soon as there is one; without `n` (or below 0) everything up to the end.
   *
   * An empty result is the end, or `n` = 0. Errors: READ_TIMEOUT (nothing removed), LIMIT_OVERRUN (only with `limit`
   *   and no `n`; nothing removed), TypeError, the stream's own.
   */
  read(n = -1, options: BlockingReadOptions = NO_BOUNDS): Buffer {
    const bounds = ReadBounds.of(options)
    if (wholeCount(n, 'read') === 0) return this.#reads.none(bounds)
    if (n > 0) return this.#run('read', () => this.#reads.upTo(n, bounds), bounds)
    return this.#run('read', () => this.#toEnd(bounds), bounds)
  }

  /** As `read(n)`, into the caller's memory: the count, 0 only at the end or for an empty target. Errors: as `read`. */
  readInto(target: Uint8Array, options: BlockingReadOptions = NO_BOUNDS): number {
    const bounds = ReadBounds.of(options)
    const into = targetOf(target)
    if (into.length === 0) return this.#reads.none(bounds).length
    return this.#run('readinto', () => this.#reads.into(into, bounds), bounds).length
  }

  /**
   * Reads exactly `n` bytes.
   *
   * Errors: INCOMPLETE_READ (all that was left is in `partial`), READ_TIMEOUT (nothing removed),
   *   INVALID_REQUEST for `n` below 0, TypeError, the stream's own.
   */
  readExactly(n: number, options: BlockingReadOptions = NO_BOUNDS): Buffer {
    const bounds = ReadBounds.of(options)
    if (naturalCount(n, 'readexactly') === 0) return this.#reads.none(bounds)
    return this.#run('readexactly', () => this.#reads.exactly(n, bounds), bounds)
  }

  /**
   * Reads up to and including the separator that ends first; `separator` is a string or bytes, or an Array of them.
   * With `withMatch` also the index of the one that ended it; of several that end together the shortest.
   *
   * Errors: LIMIT_OVERRUN (nothing removed, and `consumed` may be skipped; with `discard-line` the line is),
   *   INCOMPLETE_READ (all that was left is in `partial`), READ_TIMEOUT (nothing removed), INVALID_SEPARATOR,
   *   INVALID_REQUEST, TypeError, the stream's own.
   */
  readUntil(
    separator: Separator | readonly Separator[] | undefined,
    options: BlockingReadOptions & { readonly withMatch: true },
  ): MatchedRead
  readUntil(
    separator?: Separator | readonly Separator[],
    options?: BlockingReadOptions & { readonly withMatch?: false | undefined },
  ): Buffer
  readUntil(
    separator: Separator | readonly Separator[] = '\n',
    options: BlockingReadOptions & { readonly withMatch?: boolean | undefined } = NO_BOUNDS,
  ): Buffer | MatchedRead {
    const bounds = ReadBounds.of(options)
    const separators = parseSeparators(separator)
    const search = this.#searchFor(separators, bounds)
    const overlong = bounds.onOverrun === 'discard-line' ? 'discard' : 'keep'
    const data = this.#run('readuntil', () => this.#reads.until(search, overlong, bounds), bounds)
    return bounds.withMatch ? { data, match: endingSeparator(data, separators) } : data
  }

  /**
   * Reads a line with its newline; at the end of the stream what is left, which may be nothing.
   *
   * Errors: LIMIT_OVERRUN (a line too long is removed with its newline; without one, all that has come, or with
   *   `discard-line` what is still to come of it too), READ_TIMEOUT (nothing removed), the stream's own.
   */
  readLine(options: BlockingReadOptions = NO_BOUNDS): Buffer {
    const bounds = ReadBounds.of(options)
    const line = this.#reads.shortLine(bounds.limit ?? this.limit)
    if (line !== null) return line
    const search = this.#searchFor(NEWLINE, bounds)
    const overlong = bounds.onOverrun === 'discard-line' ? 'discard' : 'drop'
    return this.#run('readline', () => this.#reads.line(search, overlong, bounds), bounds)
  }

  /** Reads one message of a frame, which is no module; default: the target's own. Errors: as StreamReader.readFrame. */
  readFrame(frame?: FrameInput, options: BlockingReadOptions = NO_BOUNDS): Buffer {
    const bounds = ReadBounds.of(options)
    return this.readMessage(this.#messages.searchForNow(frame), bounds)
  }

  /** Reads the message that `search` finds next. Errors: as `readFrame`. */
  readMessage(search: MessageSearch, options: BlockingReadOptions): Buffer {
    const bounds = ReadBounds.of(options)
    return this.#run('readframe', () => this.#messages.next(search, bounds), bounds)
  }

  /**
   * Looks at the next `n` bytes, or at what is left before the end, and leaves them readable.
   *
   * Errors: READ_TIMEOUT, INVALID_REQUEST for `n` below 0, TypeError, the stream's own.
   */
  peek(n: number, options: BlockingReadOptions = NO_BOUNDS): Buffer {
    const bounds = ReadBounds.of(options)
    if (naturalCount(n, 'peek') === 0) return this.#reads.none(bounds)
    return this.#run('peek', () => this.#reads.peek(n, bounds), bounds)
  }

  /**
   * Puts bytes back (a copy) to be read next, and the offset back with them: those that a read took, or others in their
   * place, never more than were read, and at most 1 MiB before they are read again.
   *
   * Errors: TypeError, INVALID_REQUEST (more than were read), QUEUE_FULL (above 1 MiB), and where no read would be
   *   served the error that broke the stream. Then nothing was put back.
   */
  unread(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw typeFault('unread() takes a Uint8Array')
    this.#reads.putBack(bytes)
  }

  /** The lines to the end of the stream, with their newlines; an unterminated last one too. */
  *[Symbol.iterator](): Generator<Buffer, void, void> {
    for (let line = this.readLine(); line.length > 0; line = this.readLine()) yield line
  }

  /** To wake for every byte would be in vain: only the end, or one byte over the limit, decides. */
  #toEnd(bounds: ReadBounds): Buffer | number {
    const outcome = this.#reads.toEnd(bounds)
    return typeof outcome === 'number' ? (bounds.limit ?? Number.MAX_SAFE_INTEGER - 1) + 1 : outcome
  }

  #searchFor(separators: readonly Uint8Array[], { limit = this.limit }: ReadBounds): SeparatorSearch {
    return new SeparatorSearch(separators, limit)
  }

  /** Tries, and blocks for as many bytes as the attempt says it needs, until it is served. */
  #run(what: string, attempt: () => Buffer | number, bounds: ReadBounds): Buffer {
    let outcome = attempt()
    if (typeof outcome !== 'number') return outcome
    const now = performance.now()
    const timeoutMs = bounds.timeoutMs ?? this.#timeoutMs
    const instant = Math.min(now + timeoutMs, this.#deadline)
    while (typeof outcome === 'number') {
      if (!this.#waitFor(outcome, Math.max(0, instant - performance.now()))) {
        const isLate = instant === this.#deadline
        const allowedMs = isLate ? (this.#allowedMs ?? instant - now) : (bounds.allowedMs ?? timeoutMs)
        throw new SockpoolError('READ_TIMEOUT', tookLonger(what, Math.max(0, allowedMs)), {
          bytesDelivered: 0,
        })
      }
      outcome = attempt()
    }
    return outcome
  }

  #waitFor(count: number, timeoutMs: number): boolean {
    const before = this.#interrupted
    // Whatever ends the wait but its bytes, also an error from around, leaves an answer that may still come.
    this.#interrupted = true
    if (!this.#source.waitFor(count, timeoutMs)) return false
    this.#interrupted = before
    return true
  }
}
