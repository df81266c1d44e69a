/**
 * The peer's bytes on their way to the client of a stream.
 *
 *   without acknowledgement   a piece leaves the ring when it is sent
 *   with it                   a piece is copied, and leaves the ring when the client has said that it has it
 *
 * In both a piece is as far as the kernel before the next is looked at: a client that does not read stops the peer. What
 * was sent and not acknowledged has a bound, and stays unread: a release, a parse or a new stream finds it there.
 *
 *   reader.offset ──── #sent bytes ────► end of what the client was sent ──── not looked at yet
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { Wait } from '../../base/wait.ts'
import type { ReaderPort } from '../ports.ts'
import { ClientFault } from './stream-close.ts'
import { ended } from './stream-message.ts'
import type { StreamSocket } from './stream-socket.ts'

export type ToClientOptions = {
  readonly reader: ReaderPort
  readonly socket: StreamSocket
  /** The client says what it has consumed. */
  readonly isAcknowledged: boolean
  /** Bytes before the read offset that the client is to have again. */
  readonly again: Buffer
  /** The stream is over. */
  readonly signal: AbortSignal
  /** The client was sent all bytes before this stream offset. */
  readonly onSent: (offset: number) => void
}

export class ToClient {
  readonly #options: ToClientOptions
  readonly #ahead: ReturnType<ReaderPort['ahead']>
  /** Bytes behind the read offset that the client was sent. */
  #sent = 0
  /** Waits for the client to consume. */
  #wait: Wait<void> | null = null

  constructor(options: ToClientOptions) {
    this.#options = options
    this.#ahead = options.reader.ahead()
  }

  /**
   * Sends until the peer's direction has ended, and says so.
   *
   * Errors: what broke the stream, LEASE_GONE, READ_BUSY; ABORTED where the stream is over.
   */
  async run(): Promise<void> {
    const { reader, socket, again, onSent } = this.#options
    for (let at = 0; at < again.length; at += LIMITS.streamPieceBytes)
      await socket.send(again.subarray(at, at + LIMITS.streamPieceBytes))
    for (;;) {
      const bytes = await this.#next()
      if (bytes.length === 0) break
      onSent(reader.offset + this.#sent)
      await socket.send(bytes)
    }
    await socket.send(ended(reader.ending))
  }

  /**
   * The client has all bytes before this stream offset. One that it has said before says nothing.
   *
   * Errors: ClientFault for an offset beyond what it was sent, and where nothing is acknowledged.
   */
  consumed(offset: number): void {
    const { reader, isAcknowledged } = this.#options
    if (!isAcknowledged)
      throw new ClientFault(new SockpoolError('INVALID_REQUEST', 'only a stream with ack=true acknowledges'))
    const count = offset - reader.offset
    if (count > this.#sent)
      throw new ClientFault(new SockpoolError('OFFSET_MISMATCH', 'the client has not been sent as much'))
    if (count <= 0) return
    // Before the bytes go: a look that waits then asks for as many as it still lacks.
    this.#sent -= count
    this.#ahead.drop(count)
    this.#wait?.resolve()
    this.#wait = null
  }

  /** Resolves when the client has all it was sent, or has said nothing for `lastWordMs`. Errors: ABORTED. */
  async acknowledged(lastWordMs: number): Promise<void> {
    while (this.#sent > 0) {
      const before = this.#sent
      await this.#consumption(lastWordMs).catch((error: unknown) => {
        if (!(error instanceof SockpoolError) || error.code !== 'READ_TIMEOUT') throw error
      })
      if (this.#sent === before) return
    }
  }

  /** The next bytes; none at the end. Errors: as `run`. */
  async #next(): Promise<Buffer> {
    const { reader, isAcknowledged, signal } = this.#options
    while (this.#sent >= LIMITS.streamWindowBytes) await this.#consumption()
    await this.#ahead.waitPast(() => this.#sent, signal)
    if (!isAcknowledged) return await reader.read(LIMITS.streamPieceBytes, { signal })
    const room = LIMITS.streamWindowBytes - this.#sent
    const bytes = this.#ahead.look(this.#sent, Math.min(LIMITS.streamPieceBytes, room))
    if (bytes.length > 0) {
      this.#sent += bytes.length
      return bytes
    }
    const broken = reader.exception()
    if (broken !== null) throw broken
    return bytes
  }

  #consumption(timeoutMs?: number): Promise<void> {
    const { signal } = this.#options
    const wait = new Wait<void>('the client', 'READ_TIMEOUT', { signal, timeoutMs }, () => {
      this.#wait = null
    })
    this.#wait = wait
    return wait.promise
  }
}
