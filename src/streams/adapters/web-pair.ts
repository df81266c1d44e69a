/**
 * The two halves of a connection as web streams of bytes, for code that is written for those.
 *
 *   peer ─► reader ─► pull ─► readable (a byte stream: BYOB readers fill buffers of their own)
 *   peer ◄─ writer ◄─ write ◄─ writable (bytes; strings as UTF-8)
 *
 * Nothing is read ahead: bytes that nobody asked for stay with the reader. The streams exist before the connection
 * does, and wait for it.
 */
import type { ReadableByteStreamController } from 'node:stream/web'
import { LIMITS } from '../../base/limits.ts'
import type { StreamReader } from '../reading/stream-reader.ts'
import { sendInPieces } from '../writing/send-in-pieces.ts'
import type { StreamWriter } from '../writing/stream-writer.ts'

export type StreamEnds = { readonly reader: StreamReader; readonly writer: StreamWriter }

export type WebChunk = string | ArrayBuffer | ArrayBufferView

export type WebPairParts = {
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

/** The streams end by `end` or `letGo`, by the peer, or when both were closed, cancelled or aborted. */
export class WebPair {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<WebChunk>
  readonly #parts: WebPairParts
  readonly #adopt: (error: unknown) => Error
  /** Withdraws the waiting read; what comes afterwards stays with the reader. */
  readonly #stop = new AbortController()
  #source: ReadableByteStreamController | null = null
  #sink: WritableStreamDefaultController | null = null
  #isRead = false
  #isWritten = false
  #hasEnded = false

  constructor(parts: WebPairParts) {
    this.#parts = parts
    this.#adopt = parts.adopt ?? (error => error as Error)
    this.readable = new ReadableStream({
      type: 'bytes',
      start: async controller => {
        this.#source = controller
        await this.#opened()
      },
      pull: controller => this.#pull(controller),
      cancel: () => this.#readDone(),
    })
    this.writable = new WritableStream<WebChunk>(
      {
        start: async controller => {
          this.#sink = controller
          const { writer } = await this.#opened()
          this.#watch(writer)
        },
        write: chunk => this.#write(chunk),
        close: () => this.#close(),
        abort: async () => {
          const { writer } = await this.#opened()
          writer.abort()
          this.#writeDone()
        },
      },
      { highWaterMark: LIMITS.writeHighWaterBytes, size: chunk => sizeOf(chunk) },
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

  async #opened(): Promise<StreamEnds> {
    try {
      return await this.#parts.ends
    } catch (error) {
      throw this.#adopt(error)
    }
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    const { reader, writer } = await this.#opened()
    try {
      const view = controller.byobRequest?.view ?? null
      const { signal } = this.#stop
      const chunk = await reader.read(view === null ? CHUNK_BYTES : view.byteLength, { signal })
      if (this.#isRead) return
      if (chunk.length > 0) return deliver(controller, chunk)
      if (!this.#parts.allowHalfOpen) writer.close()
      this.#closeReadable()
      this.#readDone()
    } catch (error) {
      if (this.#isRead) return
      this.#source?.error(this.#adopt(error))
      this.#readDone()
    }
  }

  async #write(chunk: WebChunk): Promise<void> {
    const { writer } = await this.#opened()
    try {
      await sendInPieces(writer, [bytesOf(chunk)])
    } catch (error) {
      throw this.#adopt(error)
    }
  }

  async #close(): Promise<void> {
    const { writer } = await this.#opened()
    if (writer.canWriteEof()) writer.writeEof()
    else writer.close()
    this.#writeDone()
  }

  /** A writable that nobody writes to hears of the connection's end all the same. */
  #watch(writer: StreamWriter): void {
    const closed = (error: unknown): void => {
      if (this.#isWritten) return
      this.#sink?.error(this.#adopt(error))
      this.#writeDone()
    }
    writer.waitClosed().then(() => closed(new TypeError('the connection was closed')), closed)
  }

  #cut(reason: unknown, failsReadable: boolean): void {
    const wasRead = this.#isRead
    const wasWritten = this.#isWritten
    this.#isRead = true
    this.#isWritten = true
    this.#stop.abort()
    if (!wasRead && failsReadable) this.#source?.error(reason)
    else if (!wasRead) this.#closeReadable()
    if (!wasWritten) this.#sink?.error(reason)
  }

  #closeReadable(): void {
    this.#source?.close()
    // A consumer that waits with a buffer of its own gets it back with the end.
    this.#source?.byobRequest?.respond(0)
  }

  #readDone(): void {
    this.#isRead = true
    if (this.#isWritten) this.#ended()
  }

  #writeDone(): void {
    this.#isWritten = true
    if (this.#isRead) this.#ended()
  }

  #ended(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { ends, onEnded } = this.#parts
    void Promise.resolve(ends).then(
      ({ writer }) => {
        writer.close()
        onEnded()
      },
      () => onEnded(),
    )
  }
}

function deliver(controller: ReadableByteStreamController, chunk: Buffer): void {
  const request = controller.byobRequest
  if (request?.view) {
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

function sizeOf(chunk: WebChunk): number {
  return typeof chunk === 'string' ? chunk.length : (chunk.byteLength ?? 1)
}
