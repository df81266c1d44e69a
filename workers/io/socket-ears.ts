/**
 * What a connection hears of its socket, or of the TLS socket that wraps it: one at a time. A socket that another wraps is
 * not heard any more; what it still reports is told by the one that wraps it.
 */
import type { Socket } from 'node:net'
import type { PeerEnd } from '../../src/channel/values.ts'
import { peerEndOf } from './tls-end.ts'

/** Who hears: guarded entries. */
export type SocketHearer = {
  /** The peer has ended its direction. */
  socketEnded(): void
  socketFailed(error: Error): void
  socketClosed(): void
  /** False pauses the socket. */
  received(count: number, bytes: Buffer): boolean
}

export class SocketEars {
  readonly #hearer: SocketHearer
  readonly #onEnd: () => void
  readonly #onError: (error: Error) => void
  readonly #onClose: () => void
  #heard: Socket | null = null

  constructor(hearer: SocketHearer) {
    this.#hearer = hearer
    this.#onEnd = () => hearer.socketEnded()
    this.#onError = error => hearer.socketFailed(error)
    this.#onClose = () => hearer.socketClosed()
  }

  /** How the peer's direction ended. */
  get peerEnd(): PeerEnd {
    return this.#heard === null ? 'fin' : peerEndOf(this.#heard)
  }

  listen(socket: Socket): void {
    this.#heard = socket
    socket.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
    if (socket.readableEnded) this.#onEnd()
  }

  unlisten(socket: Socket): void {
    socket.off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose)
    socket.on('error', ignore)
  }

  /** For a socket that reads into buffers of its own: an accepted one, and one that wraps another. */
  feedFrom(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => {
      if (!this.#hearer.received(bytes.length, bytes)) socket.pause()
    })
  }

  stopReading(socket: Socket): void {
    socket.pause()
    socket.removeAllListeners('data')
  }
}

function ignore(): void {}
