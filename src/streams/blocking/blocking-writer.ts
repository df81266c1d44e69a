/**
 * The stream writer for plain blocking code, beside BlockingReader. A thread that blocks has no event loop that could
 * send the rest of a large write later, so `write` itself blocks until the ring has taken all of it: what it has
 * returned from is on its way, whatever the thread blocks on next.
 */
import { CallBounds } from '../../base/call-bounds.ts'
import { copyError, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { tookLonger } from '../../base/wait.ts'
import type { BlockingSink } from '../byte-sink.ts'
import { assertOwned, type FailedEnd, isRevoked, type StreamEnd } from '../byte-source.ts'
import { Gathered } from '../writing/gathered.ts'
import { WaterMarks } from '../writing/water-marks.ts'
import type { ExtraInfo, StartTlsOptions, StreamWriterOptions } from '../writing/writer-options.ts'
import { judgedStartTls, toBytes } from '../writing/writer-options.ts'

export type BlockingWriterOptions = Omit<StreamWriterOptions, 'maxBufferedBytes' | 'startTls' | 'watch'> & {
  /** Milliseconds a call may block, for calls that do not say. Default: no bound. */
  readonly timeoutMs?: number | undefined
  /** Absent where the connection cannot start TLS. */
  readonly startTls?: BlockingStartTls | undefined
}

/** As StreamWriter's, but that no signal reaches a thread that blocks. */
export type BlockingStartTlsOptions = Omit<StartTlsOptions, 'signal'>

/**
 * Starts TLS on the connection of a writer, blocking; what is known of it from then on. `flush` blocks until all that
 * was written has gone out in plain text. Milliseconds: `timeoutMs` bounds the whole of it.
 */
export type BlockingStartTls = (
  options: BlockingStartTlsOptions & { readonly timeoutMs: number },
  flush: () => void,
) => ExtraInfo

export type BlockingWriteOptions = {
  /** Milliseconds this call may block. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds that the caller gave, where `timeoutMs` is what is left of them: errors name these. */
  readonly allowedMs?: number | undefined
}

/** Source: asyncio.StreamWriter, 3.13, but that `write` blocks. */
export class BlockingWriter {
  readonly #sink: BlockingSink
  readonly #options: BlockingWriterOptions
  readonly #marks = new WaterMarks()
  #state: 'open' | 'finished' | 'closing' = 'open'
  #hasFinished = false
  #extraInfo: ExtraInfo | undefined
  #canWriteEof: boolean
  #accepted = 0
  #dropped = 0
  #interrupted = false

  constructor(sink: BlockingSink, options: BlockingWriterOptions = {}) {
    this.#sink = sink
    this.#options = options
    this.#extraInfo = options.extraInfo
    this.#canWriteEof = options.canWriteEof ?? true
  }

  /** Bytes accepted since this writer began: the stream offset of the next one. */
  get offset(): number {
    return this.#accepted
  }

  /** Bytes accepted that the kernel has not taken yet. */
  get buffered(): number {
    return this.#sink.pending
  }

  /** Bytes that came after the connection was lost or closed and went nowhere. */
  get dropped(): number {
    return this.#dropped
  }

  /** Whether a call ended by time: how much of it the peer will see is unknown. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  get eofWritten(): boolean {
    return this.#hasFinished
  }

  /**
   * Writes bytes (a string as UTF-8); blocks while they do not all fit into the ring.
   *
   * Errors: DRAIN_TIMEOUT (`bytesAccepted` of them are on their way), LEASE_GONE (`bytesAccepted` of them were, when the
   * lease ended), WRITE_CLOSED after `writeEof`, TypeError. After `close` or a lost connection the bytes are dropped and
   * counted; `drain` tells.
   */
  write(data: string | Uint8Array, options: BlockingWriteOptions = CallBounds.NONE): void {
    const bounds = CallBounds.of(options)
    const bytes = toBytes(data)
    this.#assertWritable('write()')
    this.#pushAll([bytes], bounds)
  }

  /** Writes a list of pieces, one after another, under one time-out. Errors: as `write`. */
  writeLines(list: Iterable<string | Uint8Array>, options: BlockingWriteOptions = CallBounds.NONE): void {
    const bounds = CallBounds.of(options)
    this.#assertWritable('writelines()')
    this.#pushAll(new Gathered(list, Number.POSITIVE_INFINITY).pieces, bounds)
  }

  /**
   * Blocks until the ring is empty enough to write on: not at all below the high water mark, else down to the low.
   *
   * Errors: the reader's exception; CONNECTION_RESET when the connection is lost; DRAIN_TIMEOUT.
   */
  drain(options: BlockingWriteOptions = CallBounds.NONE): void {
    const bounds = CallBounds.of(options)
    const broken = this.#options.readerException?.()
    if (broken) throw broken
    const { end } = this.#sink
    if (end !== null) throw lost(end)
    this.#marks.fell(this.#sink.pending)
    if (!this.#marks.isFull) return
    const until = this.#until(bounds)
    if (!this.#blockFor(this.#marks.low, until)) throw this.#timedOut('drain()', until, 0)
    const endedBy = this.#sink.end
    if (endedBy !== null) throw lost(endedBy)
    this.#marks.fell(this.#sink.pending)
  }

  /** Whether the direction can end alone: TCP yes, TLS no. */
  canWriteEof(): boolean {
    return this.#canWriteEof
  }

  /** Sends FIN after all that was written; reading goes on. Nothing when repeated or closing. */
  writeEof(): void {
    assertOwned(this.#sink.end)
    if (this.#state !== 'open') return
    if (!this.canWriteEof()) throw new SockpoolError('WRITE_CLOSED', 'TLS cannot end one direction alone')
    this.#state = 'finished'
    this.#hasFinished = true
    this.#sink.shut('finish')
  }

  /** Closes after all that was written. Does not block; idempotent. */
  close(): void {
    if (this.#state === 'closing') return
    this.#state = 'closing'
    this.#sink.shut('close')
  }

  /** Drops what is buffered and closes at once. */
  abort(): void {
    this.#state = 'closing'
    this.#sink.shut('abort')
  }

  isClosing(): boolean {
    return this.#state === 'closing' || this.#sink.end !== null
  }

  /** Blocks until the connection is gone. Errors: what it was lost by; DRAIN_TIMEOUT. */
  waitClosed(options: BlockingWriteOptions = CallBounds.NONE): void {
    const until = this.#until(CallBounds.of(options))
    if (!this.#sink.waitEnd(until.leftMs())) throw this.#timedOut('waitClosed()', until, 0)
    const { end } = this.#sink
    if (end?.kind === 'failed') throw end.error
  }

  /**
   * Starts TLS as the client, and blocks until it stands. What was written before goes out in plain text.
   *
   * Units: `timeoutMs` bounds the whole of it; default: the writer's, else 60,000.
   * Errors: INVALID_REQUEST, WRITE_CLOSED: nothing has happened. TLS_FAILED (with `reason`), STARTTLS_INJECTION (bytes
   *   came before), CONNECT_TIMEOUT, CONNECTION_RESET, WORKER_LOST: the connection is destroyed, reader and writer fail
   *   too. Source: asyncio.StreamWriter.start_tls.
   */
  startTls(options: BlockingStartTlsOptions = {}): void {
    const { startTls } = this.#options
    const judged = judgedStartTls(options)
    assertOwned(this.#sink.end)
    if (startTls === undefined) throw new SockpoolError('INVALID_REQUEST', 'this connection cannot start TLS')
    if (this.#state !== 'open' || this.#sink.end !== null)
      throw new SockpoolError('WRITE_CLOSED', 'Cannot call startTls() on a closing connection')
    const timeoutMs = judged.timeoutMs ?? this.#options.timeoutMs ?? LIMITS.tlsHandshakeTimeoutMs
    const until = this.#until({ timeoutMs })
    this.#extraInfo = startTls({ ...judged, timeoutMs }, () => {
      if (!this.#blockFor(0, until))
        throw new SockpoolError('CONNECT_TIMEOUT', tookLonger('startTls()', timeoutMs))
      const { end } = this.#sink
      if (end !== null) throw lost(end)
    })
    this.#canWriteEof = false
  }

  /** What is known of the connection by that name (see ExtraInfo), else the fallback. */
  getExtraInfo(name: string, fallback: unknown = null): unknown {
    const info = this.#extraInfo as Readonly<Record<string, unknown>> | undefined
    return info !== undefined && Object.hasOwn(info, name) ? (info[name] ?? fallback) : fallback
  }

  #assertWritable(call: string): void {
    assertOwned(this.#sink.end)
    if (this.#hasFinished) throw new SockpoolError('WRITE_CLOSED', `Cannot call ${call} after write_eof()`)
  }

  #pushAll(pieces: readonly Uint8Array[], bounds: BlockingWriteOptions): void {
    const until = this.#until(bounds)
    const before = this.#accepted
    try {
      for (const piece of pieces) this.#push(piece, until, before)
    } finally {
      if (this.#accepted > before) this.#options.onWrite?.()
    }
  }

  /** Pushes one piece into the sink. `before`: the offset at which the call began. */
  #push(bytes: Uint8Array, until: Until, before: number): void {
    let rest = bytes
    for (;;) {
      const { end } = this.#sink
      if (isRevoked(end)) throw this.#revoked(end, this.#accepted - before)
      if (end !== null || this.#state === 'closing') {
        this.#dropped += rest.length
        return
      }
      const count = this.#sink.write(rest)
      this.#accepted += count
      this.#marks.rose(this.#sink.pending)
      if (count === rest.length) return
      rest = rest.subarray(count)
      // Half of what is there at a time: the kernel takes one half while this thread fills the other.
      if (!this.#blockFor(this.#sink.pending >> 1, until))
        throw this.#timedOut('write()', until, this.#accepted - before)
    }
  }

  /** Whatever ends the wait but its room, also an error from the sink, leaves the peer with half of something. */
  #blockFor(level: number, until: Until): boolean {
    const before = this.#interrupted
    this.#interrupted = true
    if (!this.#sink.waitFor(level, until.leftMs())) return false
    this.#interrupted = before
    return true
  }

  /** What a call hears whose lease ended while it blocked. */
  #revoked({ error }: FailedEnd, bytesAccepted: number): Error {
    return error instanceof SockpoolError ? copyError(error).add({ bytesAccepted }) : error
  }

  #timedOut(what: string, until: Until, bytesAccepted: number): SockpoolError {
    this.#interrupted = true
    return new SockpoolError('DRAIN_TIMEOUT', tookLonger(what, until.allowedMs), { bytesAccepted })
  }

  #until(options: BlockingWriteOptions): Until {
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? Number.POSITIVE_INFINITY
    const instant = performance.now() + timeoutMs
    return {
      allowedMs: options.allowedMs ?? timeoutMs,
      leftMs: () => Math.max(0, instant - performance.now()),
    }
  }
}

type Until = { readonly allowedMs: number; readonly leftMs: () => number }

function lost(end: StreamEnd): Error {
  return end.kind === 'failed' ? end.error : new SockpoolError('CONNECTION_RESET', 'Connection lost')
}
