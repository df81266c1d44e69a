/** The reading half of a stream, with the semantics of asyncio.StreamReader over any byte source. */
import { END_LIMITS } from '../../base/end-limits.ts'
import { optionsObject, typeFault } from '../../base/options.ts'
import type { FrameInput } from '../../frames/frame-input.ts'
import type { ByteSource, StreamEnding } from '../byte-source.ts'
import { showAs } from '../show-as.ts'
import { BufferedReads } from './buffered-reads.ts'
import { endingSeparator } from './ending-separator.ts'
import { MemorySource, type ReadTransport } from './memory-source.ts'
import { MessageReads } from './message-reads.ts'
import type { MessageSearch } from './message-search.ts'
import { NearLines } from './near-lines.ts'
import { GREEDY, type LendResult, PendingRead, PLAIN } from './pending-read.ts'
import { ReadAhead } from './read-ahead.ts'
import {
  type ChunkOptions,
  limitOption,
  type MatchedRead,
  NO_BOUNDS,
  naturalCount,
  onResetOption,
  ReadBounds,
  type ReadOptions,
  type Separator,
  type StreamReaderOptions,
  targetOf,
  type WatchedReads,
  wholeCount,
} from './read-options.ts'
import { readerText } from './reader-text.ts'
import { parseSeparators, SeparatorSearch } from './separator-search.ts'
import { chunks, lineBatches, lines } from './stream-iterators.ts'

export type { LendResult } from './pending-read.ts'
export type * from './read-options.ts'

const NEWLINE: readonly Uint8Array[] = [Uint8Array.of(0x0a)]

export class StreamReader implements AsyncIterable<Buffer> {
  static {
    showAs(StreamReader, function (_depth, options) {
      return readerText(this.#source, this.limit, this.#pending.waiter, this.#memory, options)
    })
  }

  readonly limit: number
  readonly #source: ByteSource
  readonly #memory: MemorySource | null
  readonly #pending: PendingRead
  readonly #reads: BufferedReads
  readonly #messages: MessageReads
  readonly #near: NearLines
  /** Of those who hold the stream: it is reachable for as long as one of them is. */
  protected readonly grip: object | null

  /**
   * A reader over memory, fed by `feedData`, or over the given source; or a second one of the same stream, which
   * shares everything with the first and keeps `grip` reachable.
   * Errors: INVALID_REQUEST for a limit that is not above 0. Source: asyncio.StreamReader.
   */
  constructor(
    options: StreamReaderOptions & WatchedReads = {},
    source?: ByteSource | StreamReader,
    grip: object | null = null,
  ) {
    this.grip = grip
    if (source instanceof StreamReader) {
      this.limit = source.limit
      this.#memory = source.#memory
      this.#source = source.#source
      this.#pending = source.#pending
      this.#reads = source.#reads
      this.#messages = source.#messages
      this.#near = source.#near
      return
    }
    const {
      limit = END_LIMITS.readerLimitBytes,
      onReset = 'raise',
      transport,
      watch = null,
      ...framed
    } = optionsObject(options)
    this.limit = limitOption(limit)
    const memory = source ? null : new MemorySource()
    this.#memory = memory
    this.#source = source ?? (memory as ByteSource)
    const pending = new PendingRead(this.#source, watch)
    this.#pending = pending
    this.#reads = new BufferedReads(this.#source, onResetOption(onReset), () => pending.bytesTaken())
    this.#messages = new MessageReads(this.#source, this.#reads, framed)
    this.#near = new NearLines(pending, this.#reads)
    if (transport) this.setTransport(transport)
  }

  /** Bytes received and not yet read. */
  get buffered(): number {
    return this.#source.available
  }

  /** Bytes that reads have taken since the stream began, less those put back: the stream offset of the next one. */
  get offset(): number {
    return this.#reads.taken
  }

  /** As `offset`, but what was put back counts still. */
  get seen(): number {
    return this.#reads.seen
  }

  /** Whether a read was ever cancelled or timed out: every later answer may be that of the question before. */
  get interrupted(): boolean {
    return this.#pending.interrupted
  }

  get isWaiting(): boolean {
    return this.#pending.isWaiting
  }

  /** True when the stream has ended and all its bytes were read. */
  atEof(): boolean {
    return this.#reads.isAtEof
  }

  /**
   * How the stream ended; null while it is open. `truncated`: the peer's TLS ended without a close_notify, and what came
   * may not be all; the reads say EOF all the same, as asyncio's.
   */
  get ending(): StreamEnding | null {
    return this.#reads.ending
  }

  /** The error that broke the stream, or null. */
  exception(): Error | null {
    return this.#reads.error
  }

  /**
   * Reads up to `n` bytes as soon as one is there; without `n`, or with a negative one, everything until EOF.
   *
   * Shape: a fresh copy; empty only at EOF, or for n = 0. Errors: READ_BUSY, READ_TIMEOUT, ABORTED (nothing
   * removed), LIMIT_OVERRUN (only with `limit` and no `n`), TypeError, and the error that broke the stream.
   * Source: asyncio.StreamReader.read.
   */
  read(n = -1, options: ReadOptions = NO_BOUNDS): Promise<Buffer> {
    return this.#checked(() => {
      const bounds = ReadBounds.of(options)
      if (wholeCount(n, 'read') === 0) return Promise.resolve(this.#reads.none(bounds))
      const attempt = (): Buffer | number => (n < 0 ? this.#reads.toEnd(bounds) : this.#reads.upTo(n, bounds))
      return this.#pending.run('read()', attempt, bounds, n < 0 ? GREEDY : PLAIN)
    })
  }

  /**
   * As `read(n)`, into the caller's memory: resolves with the count, 0 only at EOF or for an empty target. It makes no
   * garbage, and so is the fastest way to receive much. The target is written when bytes are there, never after the
   * call has ended. Errors: as `read`; TypeError where the target was detached meanwhile (nothing removed).
   */
  async readInto(target: Uint8Array, options: ReadOptions = NO_BOUNDS): Promise<number> {
    const bounds = ReadBounds.of(options)
    const into = targetOf(target)
    if (into.length === 0) return this.#reads.none(bounds).length
    return (await this.#pending.run('readinto()', () => this.#reads.into(into, bounds), bounds)).length
  }

  /**
   * Reads exactly `n` bytes, however many that are.
   * Errors: INCOMPLETE_READ (EOF first: the buffer is emptied into `partial`), READ_BUSY, READ_TIMEOUT, ABORTED
   * (nothing removed), INVALID_REQUEST, TypeError. Source: asyncio.StreamReader.readexactly.
   */
  readExactly(n: number, options: ReadOptions = NO_BOUNDS): Promise<Buffer> {
    return this.#checked(() => {
      const bounds = ReadBounds.of(options)
      if (naturalCount(n, 'readexactly') === 0) return Promise.resolve(this.#reads.none(bounds))
      return this.#pending.run('readexactly()', () => this.#reads.exactly(n, bounds), bounds)
    })
  }

  /**
   * Reads up to and including the separator that ends first.
   *
   * Shape: a fresh copy; the separator is its tail. Separators: 1..16 of 1..64 bytes, one or an Array.
   * Units: `limit` in bytes bounds the part before the separator. With `withMatch` also the index of the separator
   * that ended it, among those that were given; of several that end together the shortest.
   * Errors: LIMIT_OVERRUN (nothing removed, and `consumed` may be skipped; with `discard-line` the line is),
   * INCOMPLETE_READ (buffer emptied into `partial`), READ_BUSY, READ_TIMEOUT, ABORTED (nothing removed),
   * INVALID_SEPARATOR, INVALID_REQUEST, TypeError.
   * Source: asyncio.StreamReader.readuntil, 3.13.
   */
  readUntil(
    separator: Separator | readonly Separator[] | undefined,
    options: ReadOptions & { readonly withMatch: true },
  ): Promise<MatchedRead>
  readUntil(
    separator?: Separator | readonly Separator[],
    options?: ReadOptions & { readonly withMatch?: false | undefined },
  ): Promise<Buffer>
  readUntil(
    separator: Separator | readonly Separator[] = '\n',
    options: ReadOptions & { readonly withMatch?: boolean | undefined } = NO_BOUNDS,
  ): Promise<Buffer | MatchedRead> {
    return this.#checked<Buffer | MatchedRead>(() => {
      const bounds = ReadBounds.of(options)
      const separators = separator === '\n' ? NEWLINE : parseSeparators(separator)
      const reading = this.#delimited('until', separators, bounds)
      if (!bounds.withMatch) return reading
      return reading.then(data => ({ data, match: endingSeparator(data, separators) }))
    })
  }

  /**
   * Reads one line with its newline; at EOF what is left, so empty when nothing is.
   *
   * Errors: LIMIT_OVERRUN after the overlong line, or all there is of it, was dropped; else as `readUntil`.
   * Source: asyncio.StreamReader.readline.
   */
  readLine(options: ReadOptions = NO_BOUNDS): Promise<Buffer> {
    return this.#checked(() => {
      const bounds = ReadBounds.of(options)
      const line = this.#near.next(bounds.limit ?? this.limit)
      return line === null ? this.#delimited('line', NEWLINE, bounds) : Promise.resolve(line)
    })
  }

  /**
   * Reads one message of a frame; default: the target's own.
   * Shape: a fresh copy. Units: the frame's own `max` in bytes bounds it, not `limit`. Errors: FRAME_BROKEN, LIMIT_OVERRUN
   * (both close the connection), INCOMPLETE_READ (the buffer is emptied into `partial`), INVALID_REQUEST, READ_BUSY,
   * READ_TIMEOUT, ABORTED (nothing removed). asyncio has no such call.
   */
  async readFrame(frame?: FrameInput, options: ReadOptions = NO_BOUNDS): Promise<Buffer> {
    const bounds = ReadBounds.of(options)
    return await this.readMessage(await this.#messages.searchFor(frame), bounds)
  }

  /** Reads the message that `search` finds next. Errors: as `readFrame`. */
  readMessage(search: MessageSearch, options: ReadOptions): Promise<Buffer> {
    return this.#messages.read(this.#pending, search, ReadBounds.of(options))
  }

  /** The first `n` bytes once they are there, or fewer at EOF; nothing is removed. Errors: as `readExactly`. */
  peek(n: number, options: ReadOptions = NO_BOUNDS): Promise<Buffer> {
    return this.#checked(() => {
      const bounds = ReadBounds.of(options)
      if (naturalCount(n, 'peek') === 0) return Promise.resolve(this.#reads.none(bounds))
      return this.#pending.run('peek()', () => this.#reads.peek(n, bounds), bounds)
    })
  }

  /**
   * Puts bytes back (a copy) to be read next, and the offset back with them: those that a read took, or others in their
   * place, never more than were read, and at most 1 MiB before they are read again.
   * Errors: TypeError, INVALID_REQUEST (more than were read), QUEUE_FULL (above 1 MiB), READ_BUSY while a read waits, and
   * where no read would be served the error that broke the stream. Then nothing was put back.
   */
  unread(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw typeFault('unread() takes a Uint8Array')
    this.#pending.assertIdle('unread()')
    this.#reads.putBack(bytes)
  }

  /** Looks at what is there and at what comes, without taking it. */
  ahead(): ReadAhead {
    return new ReadAhead(this.#pending, this.#reads)
  }

  /** Calls `ended` once when the stream has ended or broken, whether its bytes are read or not; null withdraws. */
  onEnd(ended: (() => void) | null): void {
    this.#source.onEnd(ended)
  }

  /** Iterates over lines until EOF; an unterminated last line is one. Source: asyncio.StreamReader.__anext__. */
  [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return lines(this)
  }

  /** Iterates over the bytes as they come, at most `limit` at a time; with `reuse` each where the one before it lay. */
  chunks(options: ChunkOptions = NO_BOUNDS): AsyncGenerator<Buffer, void, undefined> {
    return chunks(this, this.limit, options)
  }

  /** Iterates over arrays of the whole lines that are already there: one wait for many lines. */
  lineBatches(options: ReadOptions = NO_BOUNDS): AsyncGenerator<Buffer[], void, undefined> {
    return lineBatches(this, this.#near, options)
  }

  /**
   * Says what feeds this reader over memory: it is paused when more than 2 × limit bytes are buffered, and resumed
   * at the limit or when a read must wait. Errors: an Error when it is set already. Source: asyncio's set_transport.
   */
  setTransport(transport: ReadTransport): void {
    const memory = this.#ownMemory('setTransport')
    if (memory.transport) throw new Error('Transport already set')
    memory.control(transport, this.limit)
  }

  /** Appends bytes (a copy). Errors: an Error after `feedEof`, or on a reader that is not over memory. */
  feedData(bytes: Uint8Array): void {
    const memory = this.#ownMemory('feedData')
    if (memory.isFinished) throw new Error('feed_data after feed_eof')
    if (bytes.length > 0) memory.feed(bytes)
  }

  feedEof(): void {
    this.#ownMemory('feedEof').finish({ kind: 'fin' })
  }

  /** Every later read throws the error, also while bytes are buffered. */
  setException(error: Error): void {
    this.#ownMemory('setException').finish({ kind: 'failed', error })
  }

  /** Hands the source over: until `run` settles every read is READ_BUSY. Its result says what became of it. */
  async lend(run: () => Promise<LendResult>, name = 'parse()'): Promise<unknown> {
    return await this.#pending.lend(name, run, count => this.#reads.count(count))
  }

  #delimited(how: 'until' | 'line', separators: readonly Uint8Array[], bounds: ReadBounds): Promise<Buffer> {
    const search = new SeparatorSearch(separators, bounds.limit ?? this.limit)
    const isLine = how === 'line'
    const overlong = bounds.onOverrun === 'discard-line' ? 'discard' : isLine ? 'drop' : 'keep'
    const attempt = (): Buffer | number => this.#reads[how](search, overlong, bounds)
    const call = isLine ? 'readline' : 'readuntil'
    return this.#pending.run('readuntil()', attempt, bounds, { restart: () => search.restart(), call })
  }

  /** What is wrong with a call rejects it, as it does in a coroutine. */
  #checked<T = Buffer>(call: () => Promise<T>): Promise<T> {
    try {
      return call()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #ownMemory(name: string): MemorySource {
    if (this.#memory === null) throw new Error(`${name} is for a reader over memory`)
    return this.#memory
  }
}
