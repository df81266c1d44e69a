/**
 * The writing half of a stream, with the semantics of asyncio.StreamWriter over any byte sink.
 *
 *   write ─► outbox (this thread's memory, bounded) ─► sink (ring) ─► kernel
 *
 * The size that the watermarks watch is the sum of both.
 */
import { inspect } from 'node:util'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { Wait, type WaitOptions } from '../base/wait.ts'
import type { ByteSink } from './byte-sink.ts'
import type { StreamEnd } from './byte-source.ts'
import { Outbox } from './outbox.ts'
import { toBytes } from './to-bytes.ts'
import { WaterMarks } from './water-marks.ts'
import type { ExtraInfo, StartTlsOptions, StreamWriterOptions } from './writer-options.ts'

export type { ExtraInfo, StartTlsOptions, StreamWriterOptions } from './writer-options.ts'

/** open ► finished (write_eof) ► closing; each step only forward. */
type WriterState = 'open' | 'finished' | 'closing'

export class StreamWriter {
  static {
    // A method by that name is more than isolated declarations can say.
    const value = function (this: StreamWriter): string {
      const state = this.isClosing() ? 'closing' : this.#state
      return `<StreamWriter ${state} ${this.buffered} bytes>`
    }
    Object.defineProperty(StreamWriter.prototype, inspect.custom, { value })
  }

  readonly #sink: ByteSink
  readonly #outbox: Outbox
  readonly #options: StreamWriterOptions
  readonly #maxBufferedBytes: number
  readonly #drains = new Set<Wait<void>>()
  readonly #closes = new Set<Wait<void>>()
  #state: WriterState = 'open'
  /** Stays true when the writer closes after its end of writing. */
  #hasFinished = false
  readonly #marks = new WaterMarks()
  #extraInfo: ExtraInfo | undefined
  #canWriteEof: boolean
  #accepted = 0
  #dropped = 0
  #futile = 0
  #wishes = false
  #interrupted = false
  /** Told after each write to a connection that closes or is gone, with the number of them so far. */
  onFutileWrite: ((count: number) => void) | null = null

  constructor(sink: ByteSink, options: StreamWriterOptions = {}) {
    this.#sink = sink
    this.#outbox = new Outbox(sink)
    this.#options = options
    this.#maxBufferedBytes = options.maxBufferedBytes ?? LIMITS.writeBufferedBytesMax
    this.#extraInfo = options.extraInfo
    this.#canWriteEof = options.canWriteEof ?? true
    sink.onEnd(() => this.#ended())
  }

  /** Bytes accepted since this writer began: the stream offset of the next one. */
  get offset(): number {
    return this.#accepted
  }

  /** A drain or waitClosed waits. */
  get isWaiting(): boolean {
    return this.#drains.size + this.#closes.size > 0
  }

  /** Bytes accepted that the kernel has not taken yet. */
  get buffered(): number {
    return this.#outbox.pending
  }

  /** Bytes that came after the connection was lost and went nowhere, as asyncio's transport drops them. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Accepts bytes (a string as UTF-8) without waiting; they are copied.
   *
   * Errors: TypeError; WRITE_CLOSED after `writeEof`; WRITE_OVERFLOW above `maxBufferedBytes` (nothing is accepted).
   * After `close` or a lost connection the bytes are dropped and counted; `drain` tells.
   * Source: asyncio.StreamWriter.write.
   */
  write(data: string | Uint8Array): void {
    const bytes = toBytes(data)
    this.#refuseAfterEof('write()')
    if (bytes.length > 0) this.#accept([bytes], bytes.length)
  }

  /** Accepts a list of pieces, all or none. Errors: as `write`. Source: asyncio.StreamWriter.writelines. */
  writeLines(list: Iterable<string | Uint8Array>): void {
    this.#refuseAfterEof('writelines()')
    const pieces = Array.from(list, toBytes).filter(bytes => bytes.length > 0)
    if (pieces.length > 0)
      this.#accept(
        pieces,
        pieces.reduce((sum, bytes) => sum + bytes.length, 0),
      )
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
    if (!this.#marks.isFull) return
    await this.#waitIn(this.#drains, 'drain()', 'DRAIN_TIMEOUT', options)
  }

  /** Whether the direction can end alone: TCP yes, TLS no. */
  canWriteEof(): boolean {
    return this.#canWriteEof
  }

  /** Sends FIN after all that was written; reading goes on. Nothing when repeated or closing. */
  writeEof(): void {
    if (this.#state !== 'open') return
    if (!this.canWriteEof()) throw new SockpoolError('WRITE_CLOSED', 'TLS cannot end one direction alone')
    this.#state = 'finished'
    this.#hasFinished = true
    this.#outbox.shut('finish')
  }

  /** Closes after all that was written. Idempotent. */
  close(): void {
    if (this.#state === 'closing') return
    this.#state = 'closing'
    this.#outbox.shut('close')
  }

  /** Drops what is buffered and closes at once. */
  abort(): void {
    this.#state = 'closing'
    this.#outbox.drop()
    this.#sink.shut('abort')
  }

  isClosing(): boolean {
    return this.#state === 'closing' || this.#sink.end !== null
  }

  /** Bytes that the sink had no room for yet. */
  get queued(): number {
    return this.#outbox.queued
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

  /**
   * Starts TLS, as the server where `startServer` accepted the connection. What was written before goes out in plain
   * text, what is written meanwhile encrypted. Bytes that came before are the handshake's beginning for the server.
   *
   * Errors: INVALID_REQUEST, WRITE_CLOSED, READ_BUSY: nothing has happened. TLS_FAILED (with `reason`),
   * STARTTLS_INJECTION (bytes came before, to the client), CONNECT_TIMEOUT, ABORTED, CONNECTION_RESET, WORKER_LOST:
   * the connection is destroyed, reader and writer fail too. Source: asyncio.StreamWriter.start_tls.
   */
  async startTls(options: StartTlsOptions = {}): Promise<void> {
    const { startTls } = this.#options
    if (startTls === undefined || !this.#outbox.gate.isOpen)
      throw new SockpoolError('INVALID_REQUEST', 'this connection cannot start TLS, or is about to')
    if (this.#state !== 'open' || this.#sink.end !== null)
      throw new SockpoolError('WRITE_CLOSED', 'Cannot call startTls() on a closing connection')
    try {
      this.#extraInfo = await startTls(options, () => {
        const sent = this.#outbox.gate.close(this.#outbox.queued)
        this.#flush()
        return sent
      })
      this.#canWriteEof = false
    } finally {
      this.#outbox.gate.open()
      if (this.#sink.end === null) this.#flush()
    }
  }

  /** What is known of the connection by that name (see ExtraInfo), else the fallback. */
  getExtraInfo(name: string, fallback: unknown = null): unknown {
    const info = this.#extraInfo as Readonly<Record<string, unknown>> | undefined
    return info !== undefined && Object.hasOwn(info, name) ? (info[name] ?? fallback) : fallback
  }

  /** Bytes; see WaterMarks. Errors: INVALID_REQUEST. Source: asyncio's set_write_buffer_limits. */
  setWriteBufferLimits(high?: number, low?: number): void {
    this.#marks.set(high, low)
    this.#marks.rose(this.buffered)
    // A wish that stands is for the old low mark.
    this.#wishes = false
    this.#flush()
  }

  #refuseAfterEof(call: string): void {
    if (this.#hasFinished) throw new SockpoolError('WRITE_CLOSED', `Cannot call ${call} after write_eof()`)
  }

  #accept(pieces: readonly Uint8Array[], length: number): void {
    if (this.#sink.end !== null || this.#state === 'closing') {
      this.#dropped += length
      this.onFutileWrite?.(++this.#futile)
      return
    }
    if (this.#outbox.queued + length > this.#maxBufferedBytes + this.#freeInSink())
      throw new SockpoolError(
        'WRITE_OVERFLOW',
        `more than ${this.#maxBufferedBytes} bytes would be buffered`,
        { bytesAccepted: 0 },
      )
    this.#outbox.add(pieces)
    this.#accepted += length
    this.#marks.rose(this.buffered)
    if (this.#outbox.queued > 0) this.#wish()
    this.#options.onWrite?.()
  }

  /** What a write may still put into the sink counts as room only while nothing waits before it. */
  #freeInSink(): number {
    return this.#outbox.queued === 0 ? Math.max(0, LIMITS.writeHighWaterBytes - this.#sink.pending) : 0
  }

  /** Moves the queue into the sink, tells those who wait for it, and asks to be woken for the rest. */
  #flush(): void {
    this.#outbox.flush()
    if (this.#marks.fell(this.buffered)) {
      for (const drain of this.#drains) drain.resolve()
      this.#drains.clear()
    }
    if (this.#outbox.queued > 0 || this.#drains.size > 0 || this.#outbox.gate.isAwaited) this.#wish()
  }

  #wish(): void {
    if (this.#wishes || (this.#outbox.gate.isShut && !this.#outbox.gate.isAwaited)) return
    // The queue moves on at half a ring, so that the kernel never runs dry; a drain waits for its own mark.
    const waiting = this.#outbox.queued > 0 ? LIMITS.writeHighWaterBytes >> 1 : this.#marks.low
    const level = this.#outbox.gate.isShut ? 0 : waiting
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
    this.#dropped += this.#outbox.drop()
    if (end !== null) this.#outbox.gate.fail(lost(end))
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
