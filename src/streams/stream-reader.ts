/**
 * The reading half of a stream, with the semantics of asyncio.StreamReader over any byte source.
 */
import { IncompleteReadError, LimitOverrunError, SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { WaitOptions } from '../base/wait.ts'
import type { ByteSource } from './byte-source.ts'
import { byteAt, frontBytes } from './front-bytes.ts'
import { MemorySource } from './memory-source.ts'
import { type Attempt, PendingRead } from './pending-read.ts'
import { parseSeparators, SeparatorSearch } from './separator-search.ts'

export type Separator = string | Uint8Array

export type ReadOptions = WaitOptions & {
  /**
   * `readUntil`, `readLine`: bytes before the separator; default: the reader's. `read` to the end: the most bytes
   * it may gather, default unbounded; past it LIMIT_OVERRUN, and nothing is removed.
   */
  readonly limit?: number | undefined
  /** `readLine`, `readUntil`: `discard-line` drops an overlong line and reads the next; default `raise`. */
  readonly onOverrun?: 'raise' | 'discard-line' | undefined
  /** What a read does after the connection broke while bytes are still there; default: the reader's. */
  readonly onReset?: OnReset | undefined
}

/** `raise`: every read fails at once, as asyncio's. `drain-then-raise`: the received bytes first. */
export type OnReset = 'raise' | 'drain-then-raise'

export type StreamReaderOptions = {
  /** Bytes; default 65,536. */
  readonly limit?: number | undefined
  readonly onReset?: OnReset | undefined
}

/** What became of a lent source. */
export type LendResult = {
  readonly count: number
  readonly outcome:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly error: Error }
}

const EMPTY = Buffer.alloc(0)
const NEWLINE = Buffer.from('\n')

export class StreamReader implements AsyncIterable<Buffer> {
  readonly limit: number
  readonly #onReset: OnReset
  readonly #source: ByteSource
  readonly #memory: MemorySource | null
  readonly #pending: PendingRead
  #taken = 0
  /** The front lies in an overlong line that is being discarded; a read that gave up on it leaves this behind. */
  #skipsLine = false

  /**
   * A reader over memory, fed by `feedData`, or over the given source.
   *
   * Errors: INVALID_REQUEST for a limit that is not above 0. Source: asyncio.StreamReader.
   */
  constructor(options: StreamReaderOptions = {}, source?: ByteSource) {
    const { limit = LIMITS.readerLimitBytes, onReset = 'raise' } = options
    if (!(limit > 0)) throw invalid('Limit cannot be <= 0')
    this.limit = limit
    this.#onReset = onReset
    this.#memory = source ? null : new MemorySource()
    this.#source = source ?? (this.#memory as ByteSource)
    this.#pending = new PendingRead(this.#source)
  }

  /** Bytes received and not yet read. */
  get buffered(): number {
    return this.#source.available
  }

  /** Bytes that reads have taken since this reader began: the stream offset of the next one. */
  get offset(): number {
    return this.#taken
  }

  /** Whether a read was cancelled or timed out and none has completed since: an answer may still be under way. */
  get interrupted(): boolean {
    return this.#pending.interrupted
  }

  get isWaiting(): boolean {
    return this.#pending.isWaiting
  }

  /** True when the stream has ended and all its bytes were read. */
  atEof(): boolean {
    const end = this.#source.end
    return end !== null && end.kind !== 'failed' && this.#source.available === 0
  }

  /** The error that broke the stream, or null. */
  exception(): Error | null {
    const end = this.#source.end
    return end?.kind === 'failed' ? end.error : null
  }

  /**
   * Reads up to `n` bytes as soon as one is there; without `n`, or with a negative one, everything until EOF.
   *
   * Shape: a fresh copy; empty only at EOF, or for n = 0. Errors: READ_BUSY, READ_TIMEOUT, ABORTED (nothing
   * removed), LIMIT_OVERRUN (only with `limit` and no `n`), and the error that broke the stream.
   * Source: asyncio.StreamReader.read.
   */
  read(n = -1, options: ReadOptions = {}): Promise<Buffer> {
    if (n === 0) return this.#run('read()', () => this.#raiseBroken(options) ?? EMPTY, options)
    if (n > 0)
      return this.#run(
        'read()',
        () => {
          const end = this.#source.end
          const available = this.#source.available
          if (end?.kind === 'failed' && (available === 0 || this.#raises(options))) throw end.error
          if (available > 0) return this.#take(Math.min(n, available))
          return end === null ? 1 : EMPTY
        },
        options,
      )
    return this.#run('read()', () => this.#readToEnd(options), options)
  }

  /**
   * Reads exactly `n` bytes, however many that are.
   *
   * Errors: INCOMPLETE_READ (EOF first: the buffer is emptied into `partial`), READ_BUSY, READ_TIMEOUT, ABORTED
   * (nothing removed). Source: asyncio.StreamReader.readexactly.
   */
  readExactly(n: number, options: ReadOptions = {}): Promise<Buffer> {
    if (!(n >= 0)) return Promise.reject(invalid('readexactly size can not be less than zero'))
    return this.#run(
      'readexactly()',
      () => {
        const end = this.#source.end
        const available = this.#source.available
        if (end?.kind === 'failed' && (available < n || this.#raises(options))) throw end.error
        if (available >= n) return n === 0 ? EMPTY : this.#take(n)
        if (end === null) return n
        throw new IncompleteReadError(this.#take(available), n)
      },
      options,
    )
  }

  /**
   * Reads up to and including the separator that ends first.
   *
   * Shape: a fresh copy; the separator is its tail. Separators: 1..16 of 1..64 bytes, one or an Array.
   * Units: `limit` in bytes bounds the part before the separator.
   * Errors: LIMIT_OVERRUN (nothing removed; `consumed` may be skipped), INCOMPLETE_READ (buffer emptied into
   * `partial`), READ_BUSY, READ_TIMEOUT, ABORTED (nothing removed), INVALID_SEPARATOR.
   * Source: asyncio.StreamReader.readuntil, 3.13.
   */
  readUntil(
    separator: Separator | readonly Separator[] = NEWLINE,
    options: ReadOptions = {},
  ): Promise<Buffer> {
    let separators: Uint8Array[]
    try {
      separators = separator === NEWLINE ? [NEWLINE] : parseSeparators(separator)
    } catch (error) {
      return Promise.reject(error)
    }
    if (options.onOverrun === 'discard-line') return this.#readUntilDiscarding(separators, options)
    return this.#readUntil('readuntil()', separators, options)
  }

  /**
   * Reads one line with its newline; at EOF what is left, so empty when nothing is.
   *
   * Errors: LIMIT_OVERRUN after the overlong line, or all there is of it, was dropped; else as `readUntil`.
   * Source: asyncio.StreamReader.readline.
   */
  async readLine(options: ReadOptions = {}): Promise<Buffer> {
    try {
      return await this.readUntil(NEWLINE, options)
    } catch (error) {
      if (error instanceof IncompleteReadError) return error.partial
      if (error instanceof LimitOverrunError) this.#dropLine(error.consumed)
      throw error
    }
  }

  /** The first `n` bytes once they are there, or fewer at EOF; nothing is removed. Errors: as `read`. */
  peek(n: number, options: ReadOptions = {}): Promise<Buffer> {
    return this.#run(
      'peek()',
      () => {
        const end = this.#source.end
        const available = this.#source.available
        if (end?.kind === 'failed' && (available < n || this.#raises(options))) throw end.error
        return available < n && end === null ? n : frontBytes(this.#source.views(), Math.min(n, available))
      },
      options,
    )
  }

  /** Iterates over lines until EOF; an unterminated last line is one. Source: asyncio.StreamReader.__anext__. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const line = await this.readLine()
      if (line.length === 0) return
      yield line
    }
  }

  /** Iterates over the bytes as they come, at most `limit` of them at a time. */
  async *chunks(options: ReadOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const chunk = await this.read(this.limit, options)
      if (chunk.length === 0) return
      yield chunk
    }
  }

  /** Iterates over arrays of the whole lines that are already there: one wait for many lines. */
  async *lineBatches(options: ReadOptions = {}): AsyncGenerator<Buffer[], void, undefined> {
    for (;;) {
      const batch = [await this.readLine(options)]
      if (batch[0]?.length === 0) return
      const failure = await this.#fillBatch(batch, options)
      yield batch
      if (failure) throw failure
    }
  }

  /** Appends bytes (a copy). Errors: an Error after `feedEof`, or on a reader that is not over memory. */
  feedData(bytes: Uint8Array): void {
    const memory = this.#ownMemory('feedData')
    if (bytes.length === 0) return
    if (memory.end !== null) throw new Error('feed_data after feed_eof')
    memory.feed(bytes)
  }

  feedEof(): void {
    this.#ownMemory('feedEof').finish({ kind: 'fin' })
  }

  /** Every later read throws the error, also while bytes are buffered. */
  setException(error: Error): void {
    this.#ownMemory('setException').finish({ kind: 'failed', error })
  }

  /**
   * Hands the source to another reader for a while: until `run` settles every other read is READ_BUSY. Its result
   * says how many bytes were taken meanwhile, in success and failure alike.
   */
  async lend(run: () => Promise<LendResult>): Promise<unknown> {
    return await this.#pending.exclude('parse()', async () => {
      const { count, outcome } = await run()
      this.#taken += count
      if (!outcome.ok) throw outcome.error
      return outcome.value
    })
  }

  #readToEnd(options: ReadOptions): Buffer | number {
    const end = this.#source.end
    const available = this.#source.available
    if (end?.kind === 'failed' && (available === 0 || this.#raises(options))) throw end.error
    const { limit } = options
    if (limit !== undefined && available > limit)
      throw new LimitOverrunError(`more than ${limit} bytes came before EOF`, limit)
    return end === null ? available + 1 : this.#take(available)
  }

  #readUntil(name: string, separators: Uint8Array[], options: ReadOptions): Promise<Buffer> {
    const search = new SeparatorSearch(separators, options.limit ?? this.limit)
    const attempt = (): Buffer | number => {
      const end = this.#source.end
      const available = this.#source.available
      if (end?.kind === 'failed' && (available === 0 || this.#raises(options))) throw end.error
      const match = available === 0 ? null : search.scan(this.#source.views(), available)
      if (match) return this.#take(match.end)
      if (end === null) return available + 1
      if (end.kind === 'failed') throw end.error
      throw new IncompleteReadError(this.#take(available), null)
    }
    return this.#run(name, attempt, options, () => search.restart())
  }

  /** As tokio's LinesCodec: the rest of an overlong line is skipped as it comes, then reading goes on. */
  async #readUntilDiscarding(separators: Uint8Array[], options: ReadOptions): Promise<Buffer> {
    for (;;) {
      const skipping = this.#skipsLine
      try {
        const line = await this.#readUntil('readuntil()', separators, options)
        if (!skipping) return line
      } catch (error) {
        if (skipping && error instanceof IncompleteReadError) throw new IncompleteReadError(EMPTY, null)
        if (!(error instanceof LimitOverrunError)) throw error
        this.#skip(error.consumed)
        this.#skipsLine = true
      }
    }
  }

  /** asyncio's readline drops a line that it found to be too long, or the whole buffer where it found no end. */
  #dropLine(consumed: number): void {
    const found = byteAt(this.#source.views(), consumed) === NEWLINE[0]
    this.#skip(found ? consumed + 1 : consumed)
  }

  /** Adds the lines that are there; the error that ended it, which must not take the lines before it along. */
  async #fillBatch(batch: Buffer[], options: ReadOptions): Promise<Error | null> {
    try {
      while (batch.length < LIMITS.lineBatchMax && this.#hasLine()) batch.push(await this.readLine(options))
      return null
    } catch (error) {
      return error as Error
    }
  }

  #hasLine(): boolean {
    return this.#source.views().some(view => Buffer.prototype.includes.call(view, 0x0a))
  }

  #raises(options: ReadOptions): boolean {
    return (options.onReset ?? this.#onReset) === 'raise'
  }

  #raiseBroken(options: ReadOptions): null {
    const error = this.#raises(options) ? this.exception() : null
    if (error) throw error
    return null
  }

  #take(count: number): Buffer {
    if (count === 0) return EMPTY
    const bytes = this.#source.take(count)
    this.#skipsLine = false
    this.#moved(count)
    return bytes
  }

  #skip(count: number): void {
    this.#source.skip(count)
    this.#moved(count)
  }

  #moved(count: number): void {
    this.#taken += count
    this.#pending.bytesTaken()
  }

  #run(name: string, attempt: Attempt, options: ReadOptions, restart?: () => void): Promise<Buffer> {
    return this.#pending.run(name, attempt, options, restart)
  }

  #ownMemory(name: string): MemorySource {
    if (this.#memory === null) throw new Error(`${name} is for a reader over memory`)
    return this.#memory
  }
}

function invalid(message: string): SockpoolError {
  return new SockpoolError('INVALID_REQUEST', message)
}
