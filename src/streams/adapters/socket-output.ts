/**
 * What a duplex has of the writing side of its connection, and the one place where it parts with the connection.
 *
 *   held ─► left       it is closed, or closes after what was written
 *        └► detached   it goes on without the duplex
 *
 * Parted, it takes every write and sends none, as a kernel does whose peer has gone: only a layer that ends later than
 * its transport writes then.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { sendInPieces } from '../writing/send-in-pieces.ts'
import type { StreamWriter } from '../writing/stream-writer.ts'
import { canceledWrite, systemError } from './system-error.ts'

export type Settle = (error?: Error | null) => void

export type SocketOutputDeps = {
  readonly writer: StreamWriter
  /** The error that broke the stream, or null. */
  readonly exception: () => Error | null
  readonly isDestroyed: () => boolean
  /** The peer has ended in order, if not all before its end is read yet, and only a layer writes. */
  readonly isFarewell: () => boolean
  /** A write is done, one way or the other. */
  readonly onSent: () => void
  readonly onLeft: () => void
}

export class SocketOutput {
  readonly #deps: SocketOutputDeps
  #hold: 'held' | 'left' | 'detached' = 'held'
  #accepted = 0
  #inFlight = 0
  /** Runs from the peer's end to that of a layer. */
  #farewell: NodeJS.Timeout | null = null

  constructor(deps: SocketOutputDeps) {
    this.#deps = deps
  }

  /** Bytes that are with the writer, but for those of the write under way. */
  get passed(): number {
    return this.#accepted - this.#inFlight
  }

  send(chunks: readonly Buffer[], settle: Settle): void {
    const { writer } = this.#deps
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
    this.#accepted += bytes
    if (this.#hold !== 'held') return settle()
    this.#farewell?.refresh()
    if (writer.isClosing()) return this.#sendToEnded(settle)
    this.#inFlight = bytes
    const done: Settle = error => {
      this.#inFlight = 0
      this.#deps.onSent()
      settle(error)
    }
    let left = chunks
    // What the ring takes whole is as good as in the kernel, and done at once, as a socket's write mostly is.
    if (bytes <= LIMITS.writeHighWaterBytes && !writer.eofWritten) {
      writer.writeLines(chunks)
      if (writer.queued === 0) return done()
      left = []
    }
    sendInPieces(writer, left).then(
      () => done(),
      error => this.#failed(error, done),
    )
  }

  /** Ends the direction after all that was written; where it cannot end alone, the connection. */
  finish(): void {
    if (this.#hold !== 'held') return
    const { writer } = this.#deps
    if (writer.canWriteEof()) writer.writeEof()
    else writer.close()
  }

  /** Drops what is not sent yet, and ends the connection. */
  abort(): void {
    if (this.#hold === 'held') this.#deps.writer.abort()
  }

  /** The peer has ended, and a layer has yet to say its last: it has so long, from each word it says. */
  expectFarewell(): void {
    this.#farewell = setTimeout(() => this.leave('left'), LIMITS.closeLingerMs).unref()
  }

  leave(how: 'left' | 'detached'): void {
    if (this.#hold !== 'held') return
    this.#hold = how
    if (this.#farewell) clearTimeout(this.#farewell)
    if (how === 'detached') return
    const { writer, onLeft } = this.#deps
    // The ring stands in for the kernel's buffer: what it has taken goes out. What found no room there is lost.
    if (writer.queued > 0 && this.#inFlight > 0) writer.abort()
    else writer.close()
    onLeft()
  }

  #sendToEnded(settle: Settle): void {
    // To a peer that has ended first, where the connection has no half-close.
    if (this.#farewell !== null || this.#deps.isFarewell()) return settle()
    const broken = this.#deps.exception()
    settle(systemError(broken ?? new SockpoolError('WRITE_CLOSED', 'the connection is closing'), 'write'))
  }

  #failed(error: unknown, done: Settle): void {
    const { isDestroyed, isFarewell } = this.#deps
    // After 'error' and before 'close', as a socket.
    if (isDestroyed()) process.nextTick(() => done(canceledWrite(error)))
    // A kernel takes what a layer says last to a peer that has closed.
    else if (this.#hold !== 'held' || isFarewell()) done()
    // What broke the connection is told by the read that waits, if one does, and cancels the write.
    else setImmediate(() => done(isDestroyed() ? canceledWrite(error) : systemError(error, 'write')))
  }
}
