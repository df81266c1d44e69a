/**
 * The writing half of a stream, which its writers share.
 *
 *   write ─► outbox (this thread's memory, bounded) ─► sink (ring) ─► kernel
 *
 * The size that the watermarks watch is the sum of both. Offsets count bytes of the stream: what was accepted, and of
 * that what is out, which is with the kernel.
 */

import { END_LIMITS } from '../../base/end-limits.ts'
import { SockpoolError } from '../../base/errors.ts'
import { countOption } from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { ByteSink } from '../byte-sink.ts'
import { assertOwned } from '../byte-source.ts'
import { Outbox } from './outbox.ts'
import { WaterMarks } from './water-marks.ts'
import type { ExtraInfo, StartTlsOptions, StreamWriterOptions } from './writer-options.ts'
import { lost, WriterWaits } from './writer-waits.ts'

/** open ► finished (write_eof) ► closing; each step only forward. */
type WritingState = 'open' | 'finished' | 'closing'

export class WritingHalf {
  readonly marks: WaterMarks = new WaterMarks()
  readonly waits: WriterWaits = new WriterWaits(() => this.#accepted)
  readonly #sink: ByteSink
  readonly #outbox: Outbox
  readonly #options: StreamWriterOptions
  readonly #maxBufferedBytes: number
  #state: WritingState = 'open'
  /** Stays true when the writer closes after its end of writing. */
  #hasFinished = false
  /** Once TLS has started. */
  #extraInfo: ExtraInfo | undefined
  #canWriteEof: boolean
  #accepted = 0
  /** Bytes that were out when somebody looked last. */
  #out = 0
  /** What was queued was dropped, so that what is not queued need not be out. */
  #isCut = false
  #dropped = 0
  #futile = 0
  #wishes = false
  onFutileWrite: ((count: number) => void) | null = null

  constructor(sink: ByteSink, options: StreamWriterOptions) {
    this.#sink = sink
    this.#outbox = new Outbox(sink)
    this.#options = options
    const { maxBufferedBytes = END_LIMITS.writeBufferedBytesMax } = options
    this.#maxBufferedBytes = countOption('maxBufferedBytes', maxBufferedBytes, 0)
    this.#canWriteEof = options.canWriteEof ?? true
    sink.onEnd(() => this.#ended())
  }

  get state(): WritingState {
    return this.#state
  }

  get accepted(): number {
    return this.#accepted
  }

  get dropped(): number {
    return this.#dropped
  }

  get queued(): number {
    return this.#outbox.queued
  }

  /** Bytes accepted that the kernel has not taken yet. */
  get buffered(): number {
    return this.#outbox.pending
  }

  get isClosing(): boolean {
    return this.#state === 'closing' || this.#sink.end !== null
  }

  get canWriteEof(): boolean {
    return this.#canWriteEof
  }

  get extraInfo(): ExtraInfo | undefined {
    return this.#extraInfo ?? this.#options.extraInfo
  }

  /** No write of more bytes is ever accepted. */
  get bytesMax(): number {
    return this.#maxBufferedBytes + END_LIMITS.writeHighWaterBytes
  }

  /** The stream offset up to which all bytes are out; at least so far where the connection is gone. */
  get out(): number {
    if (this.#sink.end === null && !this.#isCut) this.#out = this.#accepted - this.buffered
    return this.#out
  }

  /** Errors: LEASE_GONE; WRITE_CLOSED after the end of writing. */
  assertWritable(call: string): void {
    assertOwned(this.#sink.end)
    if (this.#hasFinished) throw new SockpoolError('WRITE_CLOSED', `Cannot call ${call} after write_eof()`)
  }

  /** All pieces or none; `length` is above 0. Errors: WRITE_OVERFLOW. */
  accept(pieces: readonly Uint8Array[], length: number): void {
    if (this.isClosing) {
      this.#dropped += length
      this.onFutileWrite?.(++this.#futile)
      return
    }
    const excess = this.#outbox.queued + length - this.#maxBufferedBytes
    if (excess > 0 && excess > this.#freeInSink())
      throw new SockpoolError(
        'WRITE_OVERFLOW',
        `more than ${this.#maxBufferedBytes} bytes would be buffered`,
        { bytesAccepted: 0 },
      )
    this.#outbox.add(pieces)
    this.#accepted += length
    if (this.marks.isAbove(this.#outbox.pendingMost)) this.marks.rose(this.buffered)
    // Who waits for the bytes before these may be woken while these still lie in the sink.
    if (this.waits.hasFlushes) this.#wishAnew()
    else if (this.#outbox.queued > 0) this.#wish()
    this.#options.onWrite?.()
    this.#options.watch?.served('write')
  }

  /** Throws what keeps a connection from taking bytes: the reader's exception, or how it was lost. */
  assertAlive(): void {
    const broken = this.#options.readerException?.()
    if (broken) throw broken
    const { end } = this.#sink
    if (end !== null) throw lost(end)
  }

  async drain(options: WaitOptions): Promise<void> {
    const broken = this.#options.readerException?.()
    if (broken) throw broken
    // A closing connection gets one turn to report its loss, else a loop of write and drain would never hear of it.
    if (this.#state === 'closing') await new Promise(resolve => setImmediate(resolve))
    const { end } = this.#sink
    if (end !== null) throw lost(end)
    if (!this.marks.isFull) return
    const draining = this.waits.forDrain(options)
    this.#wishAnew()
    await this.#watched('drain', () => draining)
  }

  /** Resolves when all bytes up to the offset are out. Errors: as `drain`. */
  async flushed(offset: number, options: WaitOptions): Promise<void> {
    this.assertAlive()
    if (this.out >= offset) return
    const flushing = this.waits.forFlush(offset, options)
    this.#wishAnew()
    await flushing
  }

  /** Errors: the end of the connection, if it broke; DRAIN_TIMEOUT, ABORTED. */
  async closed(options: WaitOptions): Promise<void> {
    const { end } = this.#sink
    if (end === null) return await this.waits.forClose(options)
    if (end.kind === 'failed') throw end.error
  }

  finish(): void {
    assertOwned(this.#sink.end)
    if (this.#state !== 'open') return
    if (!this.#canWriteEof) throw new SockpoolError('WRITE_CLOSED', 'TLS cannot end one direction alone')
    this.#state = 'finished'
    this.#hasFinished = true
    this.#outbox.shut('finish')
    this.#options.watch?.served('write_eof')
  }

  close(): void {
    if (this.#state === 'closing') return
    this.#state = 'closing'
    this.#outbox.shut('close')
    this.#options.watch?.served('close')
  }

  abort(how: 'abort' | 'reset'): void {
    this.waits.flushed(this.out)
    this.#isCut = true
    this.#state = 'closing'
    this.#outbox.drop()
    this.#sink.shut(how)
    this.waits.failFlushes(new SockpoolError('WRITE_CLOSED', 'the writer was aborted'))
  }

  async startTls(options: StartTlsOptions): Promise<void> {
    const traits = this.#options
    assertOwned(this.#sink.end)
    if (traits.startTls === undefined || !this.#outbox.gate.isOpen)
      throw new SockpoolError('INVALID_REQUEST', 'this connection cannot start TLS, or is about to')
    if (this.#state !== 'open' || this.#sink.end !== null)
      throw new SockpoolError('WRITE_CLOSED', 'Cannot call startTls() on a closing connection')
    try {
      const flushed = (): Promise<void> => {
        const sent = this.#outbox.gate.close(this.#outbox.queued)
        this.#flush()
        return sent
      }
      this.#extraInfo = await this.#watched('start_tls', async () => traits.startTls?.(options, flushed))
      this.#canWriteEof = false
    } finally {
      this.#outbox.gate.open()
      if (this.#sink.end === null) this.#flush()
    }
  }

  /** The marks have moved: a wish that stands is for the old low one. */
  remark(): void {
    this.marks.rose(this.buffered)
    this.#wishes = false
    this.#flush()
  }

  /** A call that waits, as whoever watches hears of it. Errors: its own. */
  async #watched<T>(name: string, run: () => Promise<T>): Promise<T> {
    const { watch } = this.#options
    if (!watch) return await run()
    const call = watch.waits(name)
    try {
      const value = await run()
      watch.ended(call, null)
      return value
    } catch (error) {
      watch.ended(call, error)
      throw error
    }
  }

  /** What a write may still put into the sink counts as room only while nothing waits before it. */
  #freeInSink(): number {
    return this.#outbox.queued === 0 ? Math.max(0, END_LIMITS.writeHighWaterBytes - this.#sink.pending) : 0
  }

  /** Moves the queue into the sink, tells those who wait for it, and asks to be woken for the rest. */
  #flush(): void {
    this.#outbox.flush()
    if (this.marks.fell(this.buffered)) this.waits.drained()
    if (this.waits.hasFlushes) this.waits.flushed(this.out)
    const { hasDrains, hasFlushes } = this.waits
    if (this.#outbox.queued > 0 || hasDrains || hasFlushes || this.#outbox.gate.isAwaited) this.#wish()
  }

  #wishAnew(): void {
    this.#wishes = false
    this.#wish()
  }

  #wish(): void {
    const { gate } = this.#outbox
    if (this.#wishes || (gate.isShut && !gate.isAwaited)) return
    this.#wishes = this.#sink.request(gate.isShut ? 0 : this.#level, this.#woken)
    if (!this.#wishes && this.#sink.end === null) setImmediate(this.#woken)
  }

  /** The most that may be pending in the sink when it is worth another look. */
  get #level(): number {
    const { queued } = this.#outbox
    const { nextFlush, hasDrains } = this.waits
    // The queue moves on at half a ring, so that the kernel never runs dry; a drain waits for its own mark.
    const room = queued > 0 ? END_LIMITS.writeHighWaterBytes >> 1 : hasDrains ? this.marks.low : 0
    const behind = nextFlush === null ? 0 : this.#accepted - queued - nextFlush
    return Math.max(room, behind)
  }

  #woken = (): void => {
    this.#wishes = false
    if (this.#sink.end === null) this.#flush()
  }

  #ended(): void {
    const { end, pending } = this.#sink
    if (end === null) return
    // A sink that let go of its channel when it broke holds nothing, and knows of nothing.
    const isKnown = !this.#isCut && (end.kind !== 'failed' || pending > 0)
    if (isKnown) this.#out = this.#accepted - this.buffered
    this.waits.flushed(this.#out)
    this.#dropped += this.#outbox.drop()
    if (this.#outbox.gate.isAwaited) this.#outbox.gate.fail(lost(end))
    this.waits.ended(end)
  }
}
