/**
 * The writing half of a stream, with the semantics of asyncio.StreamWriter over any byte sink. What it does is done by
 * a WritingHalf, which several writers may share.
 */
import { CallBounds } from '../../base/call-bounds.ts'
import { flagOption, optionsObject } from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { ByteSink } from '../byte-sink.ts'
import { showAs } from '../show-as.ts'
import { Gathered } from './gathered.ts'
import { sendThrough } from './sending.ts'
import type { AbortOptions, SendOptions, StartTlsOptions, StreamWriterOptions } from './writer-options.ts'
import { judgedStartTls, toBytes } from './writer-options.ts'
import { WritingHalf } from './writing-half.ts'

export type * from './writer-options.ts'

export class StreamWriter {
  static {
    showAs(StreamWriter, function () {
      const state = this.isClosing() ? 'closing' : this.#half.state
      return `<StreamWriter ${state} ${this.buffered} bytes>`
    })
  }

  readonly #half: WritingHalf
  /** Of those who hold the stream: it is reachable for as long as one of them is. */
  protected readonly grip: object | null

  /** A writer over the given sink; or a second one of the same stream, which keeps `grip` reachable. */
  constructor(sink: ByteSink | StreamWriter, options: StreamWriterOptions = {}, grip: object | null = null) {
    this.#half = sink instanceof StreamWriter ? sink.#half : new WritingHalf(sink, options)
    this.grip = grip
  }

  /** Told after each write to a connection that closes or is gone, with the number of them so far. */
  set onFutileWrite(told: ((count: number) => void) | null) {
    this.#half.onFutileWrite = told
  }

  /** Bytes accepted since the stream began: the stream offset of the next one. */
  get offset(): number {
    return this.#half.accepted
  }

  /** A drain, send or waitClosed waits. */
  get isWaiting(): boolean {
    return !this.#half.waits.isEmpty
  }

  /** Bytes accepted that the kernel has not taken yet. */
  get buffered(): number {
    return this.#half.buffered
  }

  /** Bytes that came after the connection was lost and went nowhere, as asyncio's transport drops them. */
  get dropped(): number {
    return this.#half.dropped
  }

  /** Bytes that the sink had no room for yet. */
  get queued(): number {
    return this.#half.queued
  }

  /** Whether a wait on this writer ended by time or signal: how much arrived is unknown. */
  get interrupted(): boolean {
    return this.#half.waits.interrupted
  }

  get eofWritten(): boolean {
    return this.#half.state === 'finished'
  }

  /** Whether `close` or `abort` was called, however the connection stands. */
  get closeCalled(): boolean {
    return this.#half.state === 'closing'
  }

  /**
   * Accepts bytes (a string as UTF-8) without waiting; they are copied.
   *
   * Errors: TypeError; WRITE_CLOSED after `writeEof`; LEASE_GONE; WRITE_OVERFLOW above `maxBufferedBytes` (nothing is
   * accepted). After `close` or a lost connection the bytes are dropped and counted; `drain` tells.
   * Source: asyncio.StreamWriter.write.
   */
  write(data: string | Uint8Array): void {
    const bytes = toBytes(data)
    this.#half.assertWritable('write()')
    if (bytes.length > 0) this.#half.accept([bytes], bytes.length)
  }

  /** Accepts a list of pieces, all or none. Errors: as `write`. Source: asyncio.StreamWriter.writelines. */
  writeLines(list: Iterable<string | Uint8Array>): void {
    this.#half.assertWritable('writelines()')
    const { pieces, length } = new Gathered(list, this.#half.bytesMax)
    if (length > 0) this.#half.accept(pieces, length)
  }

  /**
   * Writes, and waits until the bytes are as far as `until` says: `accepted`, not at all; `drained`, as `drain`;
   * `flushed`, until the kernel has taken the last of them. All of the bytes are accepted, or none.
   *
   * Errors: those of `write` and `drain`; also WRITE_CLOSED and CONNECTION_RESET where `write` would drop the bytes.
   * In each `bytesAccepted` counts the bytes of this call that are on their way, whatever its wait came to, and
   * `bytesDelivered` those of them that the kernel has taken (at least so many, where the connection broke).
   */
  async send(data: string | Uint8Array, options: SendOptions = {}): Promise<void> {
    await sendThrough(this.#half, toBytes(data), options)
  }

  /**
   * Waits until the buffers are small enough to write on: at once below the high water mark, else down to the low.
   *
   * Errors: the reader's exception; CONNECTION_RESET when the connection is lost; DRAIN_TIMEOUT, ABORTED.
   * Source: asyncio.StreamWriter.drain.
   */
  async drain(options: WaitOptions = CallBounds.NONE): Promise<void> {
    await this.#half.drain(CallBounds.of(options))
  }

  /** Whether the direction can end alone: TCP yes, TLS no. */
  canWriteEof(): boolean {
    return this.#half.canWriteEof
  }

  /** Sends FIN after all that was written; reading goes on. Nothing when repeated or closing. Errors: LEASE_GONE. */
  writeEof(): void {
    this.#half.finish()
  }

  /** Closes after all that was written. Idempotent. */
  close(): void {
    this.#half.close()
  }

  /**
   * Drops what is buffered and closes at once. `reset`: so that the peer cannot take it for an end, by a reset where the
   * connection is plain TCP, by an end without close_notify where it speaks TLS; default: false.
   */
  abort(options: AbortOptions = {}): void {
    const isReset = flagOption('reset', optionsObject(options).reset) === true
    this.#half.abort(isReset ? 'reset' : 'abort')
  }

  isClosing(): boolean {
    return this.#half.isClosing
  }

  /** Resolves when the connection is gone; rejects with the error it was lost by. Errors: DRAIN_TIMEOUT, ABORTED. */
  async waitClosed(options: WaitOptions = CallBounds.NONE): Promise<void> {
    await this.#half.closed(CallBounds.of(options))
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
    await this.#half.startTls(judgedStartTls(options))
  }

  /** What is known of the connection by that name (see ExtraInfo), else the fallback. */
  getExtraInfo(name: string, fallback: unknown = null): unknown {
    const info = this.#half.extraInfo as Readonly<Record<string, unknown>> | undefined
    return info !== undefined && Object.hasOwn(info, name) ? (info[name] ?? fallback) : fallback
  }

  /** Bytes; see WaterMarks. Errors: INVALID_REQUEST. Source: asyncio's set_write_buffer_limits. */
  setWriteBufferLimits(high?: number, low?: number): void {
    this.#half.marks.set(high, low)
    this.#half.remark()
  }
}
