/**
 * What a connection hears of its socket, or of the TLS socket that wraps it: one at a time. A socket that another wraps is
 * not heard any more; what it still reports is told by the one that wraps it.
 */
import type { Socket } from 'node:net'
import type { PeerEnd } from '../../src/channel/values.ts'
import { peerEndOf } from './tls-end.ts'

export type SocketEarsDeps = {
  readonly onEnd: () => void
  readonly onError: (error: Error) => void
  readonly onClose: () => void
  /** False pauses the socket. */
  readonly onData: (bytes: Buffer) => boolean
}

export class SocketEars {
  readonly #deps: SocketEarsDeps
  #heard: Socket | null = null

  constructor(deps: SocketEarsDeps) {
    this.#deps = deps
  }

  /** How the peer's direction ended. */
  get peerEnd(): PeerEnd {
    return this.#heard === null ? 'fin' : peerEndOf(this.#heard)
  }

  listen(socket: Socket): void {
    const { onEnd, onError, onClose } = this.#deps
    this.#heard = socket
    socket.on('end', onEnd).on('error', onError).on('close', onClose)
    if (socket.readableEnded) onEnd()
  }

  unlisten(socket: Socket): void {
    const { onEnd, onError, onClose } = this.#deps
    socket.off('end', onEnd).off('error', onError).off('close', onClose)
    socket.on('error', ignore)
  }

  /** For a socket that reads into buffers of its own: an accepted one, and one that wraps another. */
  feedFrom(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => {
      if (!this.#deps.onData(bytes)) socket.pause()
    })
  }

  stopReading(socket: Socket): void {
    socket.pause()
    socket.removeAllListeners('data')
  }
}

function ignore(): void {}
