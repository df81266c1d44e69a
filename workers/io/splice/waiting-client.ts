/**
 * An accepted client that waits for a connection of its own: what it sends meanwhile is kept, up to a bound, and that it
 * has ended or gone is told, as nobody needs to wait for it then.
 */
import type { Socket } from 'node:net'
import { FORWARD_LIMITS } from '../../../src/base/forward-limits.ts'

/** `ended`: it sends nothing more, and may still listen; `gone`: it does neither. */
export type ClientLeft = 'ended' | 'gone'

/** A client as its waiting ends. */
export type HandedClient = {
  readonly socket: Socket
  /** What it has sent. */
  readonly early: readonly Buffer[]
  readonly hasEnded: boolean
}

export class WaitingClient {
  readonly #socket: Socket
  readonly #onLeft: (how: ClientLeft) => void
  #early: Buffer[] = []
  #earlyBytes = 0
  #hasEnded = false

  readonly #onData = (bytes: Buffer): void => {
    this.#early.push(bytes)
    this.#earlyBytes += bytes.length
    if (this.#earlyBytes >= FORWARD_LIMITS.forwardEarlyBytesMax) this.#socket.pause()
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true
    this.#onLeft('ended')
  }

  readonly #onClose = (): void => this.#onLeft('gone')

  constructor(socket: Socket, onLeft: (how: ClientLeft) => void) {
    this.#socket = socket
    this.#onLeft = onLeft
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose)
  }

  /** It waits no more: whoever takes it hears of the rest in this very turn, or loses it. */
  take(): HandedClient {
    const socket = this.#socket
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    const early = this.#early
    this.#early = []
    return { socket, early, hasEnded: this.#hasEnded }
  }
}
