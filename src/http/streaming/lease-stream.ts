/**
 * One lease over one WebSocket: subprotocol `sockpool.v1`. For the lease it is one operation and one read, as long as it is
 * open: nobody else reads meanwhile, and the lease does not expire.
 *
 *   open ──close of the client, both ends, failure, take-over, drain, end of the lease──► closing ──► closed
 *
 * `#finish` alone leaves `open`, once. From then on nothing is taken from the reader or given to the writer; the WebSocket
 * has a moment to say goodbye. What the client has not got stays with the lease, whose ttl runs again.
 */
import type { WebSocket } from 'ws'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { LeftHttp } from '../door/upgrades.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import type { WriterPort } from '../ports.ts'
import { ClientPulse } from './client-pulse.ts'
import { FromClient } from './from-client.ts'
import {
  BOTH_ENDED,
  ClientFault,
  closeAfter,
  closeOfLease,
  DRAINING,
  type StreamClose,
  TAKEN_OVER,
} from './stream-close.ts'
import { positions, readStreamMessage, senseless } from './stream-message.ts'
import { StreamSocket } from './stream-socket.ts'
import { ToClient } from './to-client.ts'

export type LeaseStreamOptions = {
  readonly held: CallerLease
  readonly socket: WebSocket
  readonly left: LeftHttp
  /** The client says what it has consumed, and hears what was accepted. */
  readonly isAcknowledged: boolean
  /** Bytes before the read offset that its client is to have again. */
  readonly again: Buffer
  readonly onSent: (offset: number) => void
  readonly isDraining: () => boolean
  /** A fault of ours. */
  readonly onFault: (error: unknown) => void
}

export class LeaseStream {
  readonly #options: LeaseStreamOptions
  readonly #stop = new AbortController()
  readonly #socket: StreamSocket
  readonly #toClient: ToClient
  readonly #fromClient: FromClient
  readonly #clientEnded = Promise.withResolvers<void>()
  #hasPeerEnded = false

  constructor(options: LeaseStreamOptions) {
    const { held, socket, left, isAcknowledged, again, onSent } = options
    const { reader, writer } = held.lease
    const { signal } = this.#stop
    this.#options = options
    this.#socket = new StreamSocket(socket, signal)
    const shared = { socket: this.#socket, isAcknowledged, signal }
    this.#toClient = new ToClient({ ...shared, reader, again, onSent })
    this.#fromClient = new FromClient({
      ...shared,
      writer,
      hasPeerEnded: () => this.#hasPeerEnded,
      onEnded: () => this.#clientEnded.resolve(),
      onFailed: error => this.#fail(error),
    })
    socket.on('message', (data, isBinary) => this.#heard(data as Buffer, isBinary))
    // The WebSocket closes by itself then, with a code that says what was wrong.
    socket.on('error', () => this.#finish(null))
    socket.on('closing', () => this.#finish(null))
    left.whenDraining(() => this.#finish(DRAINING))
  }

  /** Resolves when nothing of the stream touches the lease any more. It never rejects. */
  async run(): Promise<void> {
    const { held, socket } = this.#options
    const pulse = this.#pulse()
    socket.on('close', () => {
      pulse.stop()
      this.#finish(null)
    })
    held.whenEnded(reason =>
      this.#finish(reason === 'killed' && this.#options.isDraining() ? DRAINING : closeOfLease(reason)),
    )
    try {
      await held.read('stream', () => this.#pass())
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Another stream takes the lease. */
  takeOver(): void {
    this.#finish(TAKEN_OVER)
  }

  /** Both directions, to their ends. Errors: what ended them otherwise, but for the client's own leaving. */
  async #pass(): Promise<void> {
    const { lease } = this.#options.held
    const { signal } = this.#stop
    const { reader, writer } = lease
    try {
      const { isAcknowledged, again } = this.#options
      const from = reader.offset - again.length
      if (isAcknowledged) await this.#socket.send(positions(from, writer.offset))
      await this.#toClient.run()
      this.#hasPeerEnded = true
      await Promise.race([this.#clientEnded.promise, connectionEnd(writer, signal)])
      await this.#toClient.acknowledged(LIMITS.streamLastWordMs)
      this.#finish(BOTH_ENDED)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #heard(data: Buffer, isBinary: boolean): void {
    if (this.#stop.signal.aborted) return
    try {
      if (isBinary) return this.#fromClient.write(data)
      const message = readStreamMessage(data.toString())
      switch (message.kind) {
        case 'eof':
          return this.#fromClient.end()
        case 'consumed':
          return this.#toClient.consumed(message.offset)
        default:
          throw senseless(message satisfies never)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    const close = closeAfter(error, this.#options.held.lease.gone)
    const isOurs = !(error instanceof SockpoolError) && !(error instanceof ClientFault)
    if (isOurs) this.#options.onFault(error)
    this.#finish(close)
  }

  /** `close`: null where the WebSocket is closed, or closes, already. */
  #finish(close: StreamClose | null): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    if (close !== null) this.#socket.close(close)
  }

  #pulse(): ClientPulse {
    const { socket, left } = this.#options
    return new ClientPulse({
      bytesRead: () => ('bytesRead' in left.socket ? Number(left.socket.bytesRead) : 0),
      isPaused: () => socket.isPaused,
      ping: () => socket.ping(),
      onGone: () => this.#socket.cut(),
    })
  }
}

/** Resolves when nothing can be sent to the peer any more. Errors: what broke the connection; ABORTED. */
async function connectionEnd(writer: WriterPort, signal: AbortSignal): Promise<void> {
  if (!writer.isClosing()) await writer.waitClosed({ signal })
}
