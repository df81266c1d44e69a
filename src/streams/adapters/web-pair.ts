/**
 * The two halves of a connection as web streams of bytes, for code that is written for those.
 *
 *   peer ─► reader ─► pull ─► readable (a byte stream: BYOB readers fill buffers of their own)
 *   peer ◄─ writer ◄─ write ◄─ writable (bytes; strings as UTF-8)
 *
 * Nothing is read ahead: bytes that nobody asked for stay with the reader. The streams exist before the connection
 * does, and wait for it.
 *
 * A stream may end without a word to its source or sink: a start, pull or write that rejects, or a strategy that
 * throws, fails it from within. So each callback tells of its own failure, the strategy never throws, and the ends of
 * the connection are heard of although nobody reads or writes. The connection does not keep a pair that its program
 * has dropped.
 */
import type { ReadableByteStreamController } from 'node:stream/web'
import { END_LIMITS } from '../../base/end-limits.ts'
import { StreamReader } from '../reading/stream-reader.ts'
import { sendInPieces } from '../writing/send-in-pieces.ts'
import { StreamWriter } from '../writing/stream-writer.ts'
import { Tether } from './tether.ts'

export type StreamEnds = { readonly reader: StreamReader; readonly writer: StreamWriter }

export type WebChunk = string | ArrayBuffer | ArrayBufferView

export type WebPairDeps = {
  readonly ends: StreamEnds | Promise<StreamEnds>
  /** False: the writable closes when the peer ends its direction. */
  readonly allowHalfOpen: boolean
  /** How an error reads on the streams; default: as it is. */
  readonly adopt?: ((error: unknown) => Error) | undefined
  /** Both streams are done, or the pair was ended, and the writer closes. */
  readonly onEnded: () => void
}

/** Bytes of one read at the most where the consumer brings no buffer. */
const CHUNK_BYTES = 65_536

/** The types of Node leave the signal out. */
type SinkController = WritableStreamDefaultController & { readonly signal: AbortSignal }

type Half = 'reading' | 'writing'

/**
 * The streams end by `end` or `letGo`, by the peer, or when both are done: closed, cancelled, aborted or failed. A
 * writable that is aborted, or that what was written to it fails, aborts the connection, as a peer must not take half a
 * message for a whole one. What was received before can still be read, and then the readable fails too.
 */
export class WebPair {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<WebChunk>
  readonly #deps: WebPairDeps
  readonly #adopt: (error: unknown) => Error
  /** Withdraws the waiting read; what comes afterwards stays with the reader. */
  readonly #stop = new AbortController()
  /** The halves that are not done. */
  readonly #open: Set<Half> = new Set<Half>(['reading', 'writing'])
  #source: ReadableByteStreamController | null = null
  #sink: WritableStreamDefaultController | null = null
  #isPulling = false
  /** Why this side has aborted the connection. */
  #aborted: Error | null = null
  #hasEnded = false

  constructor(deps: WebPairDeps) {
    this.#deps = deps
    this.#adopt = deps.adopt ?? (error => error as Error)
    this.readable = new ReadableStream({
      type: 'bytes',
      start: controller => {
        this.#source = controller
        return this.#orDone('reading', async () => void (await this.#opened()))
      },
      pull: () => this.#pull(),
      cancel: () => {
        this.#stop.abort()
        this.#done('reading')
      },
    })
    this.writable = new WritableStream<WebChunk>(
      {
        start: controller => {
          this.#sink = controller
          return this.#orDone('writing', () => this.#begin((controller as SinkController).signal))
        },
        write: chunk => this.#orDone('writing', () => this.#write(chunk)),
        close: () => this.#thenDone('writing', ({ writer }) => finish(writer)),
        abort: reason => this.#thenDone('writing', ({ writer }) => this.#abort(writer, reason)),
      },
      { highWaterMark: END_LIMITS.writeHighWaterBytes, size: sizeOf },
    )
  }

  /** Ends both streams as `reason` says, whoever has locked them; what the writer has accepted is still sent. */
  end(reason?: unknown): void {
    this.#cut(reason ?? new TypeError('the connection was closed'), reason !== undefined)
    this.#ended()
  }

  /** Ends both streams and leaves the connection as it is, for whoever takes it over. */
  letGo(reason: Error): void {
    this.#hasEnded = true
    this.#cut(reason, false)
  }

  /** Tells a pair of the ends of its connection. What waits refers neither to the pair nor to ends with a grip. */
  static #hearEnds(reader: StreamReader, writer: StreamWriter, tether: Tether<WebPair>): void {
    const lost = (error: unknown): void => tether.reach(pair => pair.#lost(error))
    reader.onEnd(() => tether.reach(pair => pair.#inboundEnded({ reader, writer })))
    writer.waitClosed().then(() => lost(new TypeError('the connection was closed')), lost)
  }

  async #opened(): Promise<StreamEnds> {
    try {
      return await this.#deps.ends
    } catch (error) {
      throw this.#adopt(error)
    }
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { reader, writer } = await this.#opened()
    const tether = new Tether<WebPair>(this)
    WebPair.#hearEnds(new StreamReader({}, reader), new StreamWriter(writer), tether)
    // The sink hears of an abort only after the write under way, which may wait for a peer that does not read.
    signal.addEventListener('abort', () => this.#abort(writer, signal.reason))
  }

  async #pull(): Promise<void> {
    this.#isPulling = true
    try {
      const ends = await this.#opened()
      const bytes = this.#source?.byobRequest?.view?.byteLength ?? CHUNK_BYTES
      const chunk = await ends.reader.read(bytes, { signal: this.#stop.signal })
      if (!this.#open.has('reading')) return
      if (chunk.length > 0 && this.#source) deliver(this.#source, chunk)
      this.#endIfRead(ends)
    } catch (error) {
      this.#failReading(error)
    } finally {
      this.#isPulling = false
    }
  }

  /** A pull that waits hears of it by itself. */
  #inboundEnded(ends: StreamEnds): void {
    if (!this.#isPulling) this.#endIfRead(ends)
  }

  /** The last bytes may be the last that anybody asks for. */
  #endIfRead({ reader, writer }: StreamEnds): void {
    if (!this.#open.has('reading') || reader.buffered > 0) return
    const broken = reader.exception() ?? (reader.atEof() ? this.#aborted : null)
    if (broken !== null) {
      // An error would overtake what lies in the stream; the next pull tells it.
      if (this.#source?.desiredSize === 0) this.#failReading(broken)
      return
    }
    if (!reader.atEof()) return
    if (!this.#deps.allowHalfOpen) writer.close()
    this.#closeReadable()
    this.#done('reading')
  }

  #failReading(error: unknown): void {
    if (!this.#open.has('reading')) return
    this.#source?.error(this.#adopt(error))
    this.#done('reading')
  }

  async #write(chunk: WebChunk): Promise<void> {
    const { writer } = await this.#opened()
    try {
      await sendInPieces(writer, [bytesOf(chunk)])
    } catch (error) {
      // A connection that closes in order still sends what it was given before.
      if (!writer.isClosing()) this.#abort(writer, error)
      throw this.#adopt(error)
    }
  }

  #abort(writer: StreamWriter, reason: unknown): void {
    if (this.#aborted !== null || !this.#open.has('writing')) return
    this.#aborted =
      reason instanceof Error ? reason : new TypeError('the connection was aborted', { cause: reason })
    writer.abort()
  }

  /** A writable that nobody writes to hears of the connection's end all the same. */
  #lost(error: unknown): void {
    if (!this.#open.has('writing')) return
    this.#sink?.error(this.#adopt(error))
    this.#done('writing')
  }

  #cut(reason: unknown, failsReadable: boolean): void {
    const open = new Set(this.#open)
    this.#open.clear()
    this.#stop.abort()
    if (open.has('reading') && failsReadable) this.#source?.error(reason)
    else if (open.has('reading')) this.#closeReadable()
    if (open.has('writing')) this.#sink?.error(reason)
  }

  #closeReadable(): void {
    try {
      this.#source?.close()
      // A consumer that waits with a buffer of its own gets it back with the end.
      this.#source?.byobRequest?.respond(0)
    } catch (error) {
      // The end cuts an element of that buffer in two: the stream has failed for it.
      this.#source?.error(error)
    }
  }

  /** The half is done where this fails. */
  async #orDone(half: Half, act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      this.#done(half)
      throw error
    }
  }

  /** The half is done after this, however it goes. */
  async #thenDone(half: Half, act: (ends: StreamEnds) => void): Promise<void> {
    try {
      act(await this.#opened())
    } finally {
      this.#done(half)
    }
  }

  #done(half: Half): void {
    if (this.#open.delete(half) && this.#open.size === 0) this.#ended()
  }

  #ended(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { ends, onEnded } = this.#deps
    void Promise.resolve(ends).then(
      ({ writer }) => {
        writer.close()
        onEnded()
      },
      () => onEnded(),
    )
  }
}

function finish(writer: StreamWriter): void {
  if (writer.canWriteEof()) writer.writeEof()
  else writer.close()
}

function deliver(controller: ReadableByteStreamController, chunk: Buffer): void {
  const request = controller.byobRequest
  // The buffer may be another one than that which the read was for.
  if (request?.view && request.view.byteLength >= chunk.length) {
    const { buffer, byteOffset, byteLength } = request.view
    new Uint8Array(buffer, byteOffset, byteLength).set(chunk)
    request.respond(chunk.length)
    return
  }
  // The stream takes the whole memory of what it is given, and small Buffers share theirs.
  const isAlone = chunk.buffer.byteLength === chunk.length
  controller.enqueue(isAlone ? chunk : new Uint8Array(chunk))
}

function bytesOf(chunk: WebChunk): string | Uint8Array {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return chunk
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  throw new TypeError('a chunk must be bytes or a string')
}

/**
 * A size above all for chunks; anything else has one too, and is refused by the write, since a strategy that throws
 * would fail the stream without a word to its sink.
 */
function sizeOf(chunk: unknown): number {
  if (typeof chunk === 'string') return chunk.length
  try {
    const { byteLength } = chunk as ArrayBufferView
    return byteLength >= 0 && Number.isFinite(byteLength) ? byteLength : 1
  } catch {
    return 1
  }
}
