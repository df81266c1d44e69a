/**
 * A connection that has left HTTP, as far as it goes between an HTTP thread and the main thread: a pair of streams, one in
 * each thread, over a port of their own. It carries the bytes, and apart from them how either side ends, so that a side
 * that takes no bytes hears of it all the same:
 *
 *   open ──end──► this direction is over      behind the last byte; the other direction goes on
 *     └────closed──► gone                     by a reset or without one; where the other thread dies, the port says so
 *
 * Bytes on their way are bounded: who sends waits once LIMITS.relayWindowBytes are not taken.
 */
import { Duplex } from 'node:stream'
import type { MessagePort } from 'node:worker_threads'
import { LIMITS } from '../base/limits.ts'
import type { TunnelMessage } from './http-protocol.ts'

/** Bytes are reported as taken by no smaller amounts, for a message costs as much as a small piece of them. */
const REPORT_BYTES = LIMITS.relayWindowBytes / 4

export class RelayedSocket extends Duplex {
  readonly #port: MessagePort
  readonly #onClosed: (isReset: boolean) => void
  #untaken = 0
  /** Of the bytes that came: taken here, and not reported yet. */
  #unreported = 0
  /** Came while the reader wanted no more. */
  #waiting = 0
  #goOn: (() => void) | null = null
  #hasEnded = false
  /** By the other side. */
  #isClosed = false

  /** `onClosed`: the other side is gone; default: so is this one, but for what both have said to its end. */
  constructor(port: MessagePort, onClosed?: (isReset: boolean) => void) {
    super({ allowHalfOpen: true })
    this.#port = port
    this.#onClosed = onClosed ?? (() => this.#closed())
    port.on('message', (message: TunnelMessage) => this.#received(message))
    // The other thread is dead, unless it has said how it closed.
    port.on('close', () => {
      if (!this.#isClosed) this.destroy()
    })
  }

  /** Has the client's connection reset, whatever is still on its way. */
  resetAndDestroy(): this {
    if (!this.destroyed) this.#post({ kind: 'closed', isReset: true })
    return this.destroy()
  }

  /** Nothing comes any more: whoever reads has the end behind what has come. */
  endReading(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.push(null)
  }

  override _read(): void {
    const waiting = this.#waiting
    this.#waiting = 0
    this.#report(waiting)
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    // A view would be sent with all the memory that it is a view of.
    const bytes = new Uint8Array(chunk)
    this.#untaken += bytes.length
    this.#port.postMessage({ kind: 'bytes', bytes } satisfies TunnelMessage, [bytes.buffer])
    if (this.#untaken < LIMITS.relayWindowBytes) done()
    else this.#goOn = done
  }

  override _final(done: () => void): void {
    this.#post({ kind: 'end' })
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#post({ kind: 'closed', isReset: false })
    this.#port.close()
    done(error)
  }

  #received(message: TunnelMessage): void {
    switch (message.kind) {
      case 'bytes': {
        const { buffer, byteOffset, length } = message.bytes
        if (this.#hasEnded || this.destroyed) return
        if (this.push(Buffer.from(buffer, byteOffset, length))) this.#report(length)
        else this.#waiting += length
        return
      }
      case 'taken':
        return this.#taken(message.bytes)
      case 'end':
        return this.endReading()
      case 'closed':
        this.#isClosed = true
        return this.#onClosed(message.isReset)
      default:
        message satisfies never
    }
  }

  #taken(bytes: number): void {
    this.#untaken -= bytes
    if (this.#goOn === null || this.#untaken >= LIMITS.relayWindowBytes) return
    const goOn = this.#goOn
    this.#goOn = null
    goOn()
  }

  #report(bytes: number): void {
    this.#unreported += bytes
    if (this.#unreported < REPORT_BYTES) return
    this.#post({ kind: 'taken', bytes: this.#unreported })
    this.#unreported = 0
  }

  /** What came before an end that both have reached is still there to be read. */
  #closed(): void {
    if (!(this.#hasEnded && this.writableFinished)) this.destroy()
  }

  #post(message: TunnelMessage): void {
    this.#port.postMessage(message)
  }
}
