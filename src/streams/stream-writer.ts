/**
 * The writing half of a stream, with the semantics of asyncio.StreamWriter over any byte sink.
 *
 *   write ─► #queue (this thread's memory, bounded) ─► sink (ring) ─► kernel
 *
 * The size that the watermarks watch is the sum of both. `paused` rises above the high mark and falls at the low.
 */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { Wait, type WaitOptions } from '../base/wait.ts'
import type { ByteSink } from './byte-sink.ts'
import type { StreamEnd } from './byte-source.ts'
import { ChunkList } from './chunk-list.ts'

/** What `getExtraInfo` knows; `ssl` is null on a plain connection. */
export type ExtraInfo = {
  readonly peername?: readonly [address: string, port: number]
  readonly sockname?: readonly [address: string, port: number]
  readonly ssl?: Readonly<Record<string, unknown>> | null
  readonly cipher?: string
  readonly peercert?: Readonly<Record<string, unknown>>
}

export type StreamWriterOptions = {
  /** Bytes kept beyond the sink before `write` throws WRITE_OVERFLOW; default 64 MiB. */
  readonly maxBufferedBytes?: number | undefined
  readonly extraInfo?: ExtraInfo | undefined
  /** TLS has no half-close. */
  readonly canWriteEof?: boolean | undefined
  /** The error of the reading half, which `drain` throws first, as asyncio does. */
  readonly readerException?: (() => Error | null) | undefined
  /** Called after each write that was accepted. */
  readonly onWrite?: (() => void) | undefined
}

/** open ► finished (write_eof) ► closing; each step only forward. */
type WriterState = 'open' | 'finished' | 'closing'

export class StreamWriter {
  readonly #sink: ByteSink
  readonly #queue = new ChunkList()
  readonly #options: StreamWriterOptions
  readonly #maxBufferedBytes: number
  readonly #drains = new Set<Wait<void>>()
  readonly #closes = new Set<Wait<void>>()
  #state: WriterState = 'open'
  /** What the sink is still to be told once the queue is empty. */
  #shutAfterQueue: 'finish' | 'close' | null = null
  #highWater: number = LIMITS.writeHighWaterBytes
  #lowWater: number = LIMITS.writeLowWaterBytes
  #paused = false
  #accepted = 0
  #dropped = 0
  #wishes = false
  #interrupted = false

  constructor(sink: ByteSink, options: StreamWriterOptions = {}) {
    this.#sink = sink
    this.#options = options
    this.#maxBufferedBytes = options.maxBufferedBytes ?? LIMITS.writeBufferedBytesMax
    sink.onEnd(() => this.#ended())
  }

  /** Bytes accepted since this writer began: the stream offset of the next one. */
  get offset(): number {
    return this.#accepted
  }

  /** Bytes accepted that the kernel has not taken yet. */
  get buffered(): number {
    return this.#queue.length + this.#sink.pending
  }

  /** Bytes that came after the connection was lost and went nowhere, as asyncio's transport drops them. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Accepts bytes (a string as UTF-8) without waiting; they are copied.
   *
   * Errors: WRITE_CLOSED after `writeEof`; WRITE_OVERFLOW above `maxBufferedBytes` (nothing is accepted). After
   * `close` or a lost connection the bytes are dropped and counted; `drain` tells. Source: asyncio.StreamWriter.write.
   */
  write(data: string | Uint8Array): void {
    const bytes = toBytes(data)
    if (this.#state === 'finished')
      throw new SockpoolError('WRITE_CLOSED', 'Cannot call write() after write_eof()')
    this.#accept(bytes)
  }

  /** Accepts a list of pieces. Errors: as `write`; the pieces before the one that failed are accepted. */
  writeLines(list: Iterable<string | Uint8Array>): void {
    if (this.#state === 'finished')
      throw new SockpoolError('WRITE_CLOSED', 'Cannot call writelines() after write_eof()')
    for (const data of list) this.#accept(toBytes(data))
  }

  /**
   * Waits until the buffers are small enough to write on: at once below the high water mark, else down to the low.
   *
   * Errors: the reader's exception; CONNECTION_RESET when the connection is lost; DRAIN_TIMEOUT, ABORTED.
   * Source: asyncio.StreamWriter.drain.
   */
  async drain(options: WaitOptions = {}): Promise<void> {
    const broken = this.#options.readerException?.()
    if (broken) throw broken
    // A closing connection gets one turn to report its loss, else a loop of write and drain would never hear of it.
    if (this.#state === 'closing') await new Promise(resolve => setImmediate(resolve))
    const end = this.#sink.end
    if (end !== null) throw lost(end)
    if (!this.#paused) return
    await this.#waitIn(this.#drains, 'drain()', 'DRAIN_TIMEOUT', options)
  }

  /** Whether the direction can end alone: TCP yes, TLS no. */
  canWriteEof(): boolean {
    return this.#options.canWriteEof ?? true
  }

  /** Sends FIN after all that was written; reading goes on. Nothing when repeated or closing. */
  writeEof(): void {
    if (this.#state !== 'open') return
    if (!this.canWriteEof()) throw new SockpoolError('WRITE_CLOSED', 'TLS cannot end one direction alone')
    this.#state = 'finished'
    this.#shut('finish')
  }

  /** Closes after all that was written. Idempotent. */
  close(): void {
    if (this.#state === 'closing') return
    this.#state = 'closing'
    this.#shut('close')
  }

  /** Drops what is buffered and closes at once. */
  abort(): void {
    this.#state = 'closing'
    this.#queue.drop(this.#queue.length)
    this.#shutAfterQueue = null
    this.#sink.shut('abort')
  }

  isClosing(): boolean {
    return this.#state === 'closing' || this.#sink.end !== null
  }

  /** Bytes that the sink had no room for yet. */
  get queued(): number {
    return this.#queue.length
  }

  /** Whether a wait on this writer ended by time or signal: how much arrived is unknown. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  get eofWritten(): boolean {
    return this.#state === 'finished'
  }

  /** Resolves when the connection is gone; rejects with the error it was lost by. Errors: DRAIN_TIMEOUT, ABORTED. */
  async waitClosed(options: WaitOptions = {}): Promise<void> {
    const end = this.#sink.end
    if (end === null) return await this.#waitIn(this.#closes, 'waitClosed()', 'DRAIN_TIMEOUT', options)
    if (end.kind === 'failed') throw end.error
  }

  getExtraInfo(name: keyof ExtraInfo): unknown
  getExtraInfo<T>(name: string, fallback: T): unknown
  getExtraInfo(name: string, fallback: unknown = null): unknown {
    const info = this.#options.extraInfo as Readonly<Record<string, unknown>> | undefined
    return info?.[name] ?? fallback
  }

  /** Bytes. Low alone: high = 4 × low; high alone: low = high / 4. Source: asyncio's set_write_buffer_limits. */
  setWriteBufferLimits(high?: number, low?: number): void {
    const top = high ?? (low === undefined ? LIMITS.writeHighWaterBytes : 4 * low)
    const bottom = low ?? Math.floor(top / 4)
    if (!(top >= bottom && bottom >= 0))
      throw new SockpoolError('INVALID_REQUEST', `high (${top}) must be >= low (${bottom}) must be >= 0`)
    this.#highWater = top
    this.#lowWater = bottom
    // As asyncio: higher marks do not let go of who waits already, the low mark does.
    if (this.buffered > top) this.#paused = true
    // A wish that stands is for the old low mark.
    this.#wishes = false
    this.#flush()
  }

  #accept(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#sink.end !== null || this.#state === 'closing') {
      this.#dropped += bytes.length
      return
    }
    if (this.#queue.length + bytes.length > this.#maxBufferedBytes + this.#freeInSink())
      throw new SockpoolError(
        'WRITE_OVERFLOW',
        `more than ${this.#maxBufferedBytes} bytes would be buffered`,
        {
          bytesAccepted: 0,
        },
      )
    const taken = this.#queue.length === 0 ? this.#sink.write(bytes) : 0
    if (taken < bytes.length) this.#queue.push(Buffer.from(bytes.subarray(taken)))
    this.#accepted += bytes.length
    if (this.buffered > this.#highWater) this.#paused = true
    if (this.#queue.length > 0) this.#wish()
    this.#options.onWrite?.()
  }

  /** What a write may still put into the sink counts as room only while nothing waits before it. */
  #freeInSink(): number {
    return this.#queue.length === 0 ? Math.max(0, LIMITS.writeHighWaterBytes - this.#sink.pending) : 0
  }

  #shut(how: 'finish' | 'close'): void {
    if (this.#queue.length === 0) this.#sink.shut(how)
    else this.#shutAfterQueue = how
  }

  /** Moves the queue into the sink, tells those who wait for it, and asks to be woken for the rest. */
  #flush(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue.first() as Buffer
      const taken = this.#sink.write(first)
      this.#queue.drop(taken)
      if (taken < first.length) break
    }
    if (this.#queue.length === 0 && this.#shutAfterQueue !== null) {
      this.#sink.shut(this.#shutAfterQueue)
      this.#shutAfterQueue = null
    }
    if (this.#paused && this.buffered <= this.#lowWater) {
      this.#paused = false
      for (const drain of this.#drains) drain.resolve()
      this.#drains.clear()
    }
    if (this.#queue.length > 0 || this.#drains.size > 0) this.#wish()
  }

  #wish(): void {
    if (this.#wishes) return
    // The queue moves on at half a ring, so that the kernel never runs dry; a drain waits for its own mark.
    const level = this.#queue.length > 0 ? LIMITS.writeHighWaterBytes >> 1 : this.#lowWater
    this.#wishes = this.#sink.request(level, this.#woken)
    if (!this.#wishes && this.#sink.end === null) setImmediate(this.#woken)
  }

  #woken = (): void => {
    this.#wishes = false
    if (this.#sink.end === null) this.#flush()
  }

  #waitIn(waits: Set<Wait<void>>, what: string, code: 'DRAIN_TIMEOUT', options: WaitOptions): Promise<void> {
    const wait: Wait<void> = new Wait<void>(what, code, options, error => {
      waits.delete(wait)
      this.#interrupted = true
      error.add({ bytesAccepted: this.#accepted })
    })
    waits.add(wait)
    if (waits === this.#drains) this.#wish()
    return wait.promise
  }

  #ended(): void {
    const end = this.#sink.end
    this.#dropped += this.#queue.length
    this.#queue.drop(this.#queue.length)
    for (const wait of [...this.#drains, ...this.#closes]) {
      if (end?.kind === 'failed') wait.reject(end.error)
      else wait.resolve()
    }
    this.#drains.clear()
    this.#closes.clear()
  }
}

function lost(end: StreamEnd): Error {
  return end.kind === 'failed' ? end.error : new SockpoolError('CONNECTION_RESET', 'Connection lost')
}

function toBytes(data: string | Uint8Array): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'utf8')
  if (data instanceof Uint8Array) return data
  throw new TypeError(`data argument must be a string or a Uint8Array, not ${typeof data}`)
}
