/**
 * The client's bytes on their way to the peer. They are written in the order in which they came; while the peer does not
 * take them, nothing more is read of the client. What the client says beside them, that it has consumed bytes, must get
 * through all the same where it is waited for: so with acknowledgement a window's bytes are taken in before that.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { BYTE_TURNS } from '../byte-turns.ts'
import { endWriting, writeAll } from '../leases/counted-write.ts'
import type { WriterPort } from '../ports.ts'
import { ClientFault } from './stream-close.ts'
import { accepted, senseless } from './stream-message.ts'
import type { StreamSocket } from './stream-socket.ts'

export type FromClientOptions = {
  readonly writer: WriterPort
  readonly socket: StreamSocket
  /** The client hears which of its bytes were accepted. */
  readonly isAcknowledged: boolean
  /** The stream is over. */
  readonly signal: AbortSignal
  /** The peer's direction has ended. */
  readonly hasPeerEnded: () => boolean
  /** All that the client had to send is written, and its end. Called once. */
  readonly onEnded: () => void
  /** Called once; nothing is written after it. */
  readonly onFailed: (error: unknown) => void
}

const END = 'end'

export class FromClient {
  readonly #options: FromClientOptions
  readonly #windowBytes: number
  readonly #queue: (Buffer | typeof END)[] = []
  #queuedBytes = 0
  #isWriting = false
  #hasEnded = false

  constructor(options: FromClientOptions) {
    this.#options = options
    this.#windowBytes = options.isAcknowledged ? LIMITS.streamWindowBytes : LIMITS.streamPieceBytes
  }

  /** Bytes have come. Errors: ClientFault after the end. */
  write(bytes: Buffer): void {
    if (this.#hasEnded)
      throw new ClientFault(new SockpoolError('WRITE_CLOSED', 'the client has ended its direction'))
    this.#queue.push(bytes)
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes > this.#windowBytes) this.#options.socket.pause()
    void this.#write()
  }

  /** The client's direction has ended. Safe to call twice. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#queue.push(END)
    void this.#write()
  }

  /** One at a time, whoever calls. It never rejects. */
  async #write(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    const { signal, onFailed } = this.#options
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        if (signal.aborted) return
        if (next === END) this.#finish()
        else await this.#pass(next)
      }
      this.#isWriting = false
    } catch (error) {
      onFailed(error)
    }
  }

  async #pass(bytes: Buffer): Promise<void> {
    const { writer, socket, isAcknowledged, signal } = this.#options
    await writeAll(writer, [bytes], { signal })
    await writer.drain({ signal })
    this.#queuedBytes -= bytes.length
    if (socket.isPaused && this.#queuedBytes <= this.#windowBytes) socket.resume()
    if (isAcknowledged) await socket.send(accepted(writer.offset))
    const turn = BYTE_TURNS.spent(bytes.length)
    if (turn !== null) await turn
  }

  /** TLS cannot end one direction alone; the second one that ends is the end of both. */
  #finish(): void {
    const { writer, hasPeerEnded, onEnded } = this.#options
    if (writer.canWriteEof()) endWriting(writer)
    else if (hasPeerEnded()) writer.close()
    else throw senseless('TLS cannot end one direction alone')
    onEnded()
  }
}
