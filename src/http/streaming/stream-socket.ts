/**
 * The client's end of a stream: messages out, one after the other, each as far as the kernel before the next; and a hold on
 * what comes in.
 */
import type { WebSocket } from 'ws'
import { SockpoolError } from '../../base/errors.ts'
import { Wait } from '../../base/wait.ts'
import { BYTE_TURNS } from '../byte-turns.ts'
import type { StreamClose } from './stream-close.ts'

export class StreamSocket {
  readonly #socket: WebSocket
  readonly #signal: AbortSignal

  /** `signal`: the stream is over. */
  constructor(socket: WebSocket, signal: AbortSignal) {
    this.#socket = socket
    this.#signal = signal
  }

  /** Resolves when the kernel has taken the message. Errors: ABORTED where the stream ends before, or the client has gone. */
  async send(message: string | Buffer): Promise<void> {
    // The client sets the pace; who ends the stream does not wait for it.
    const sent = new Wait<void>('the stream', 'DRAIN_TIMEOUT', { signal: this.#signal }, () => {})
    this.#socket.send(message, { binary: typeof message !== 'string' }, error => {
      if (error) sent.reject(new SockpoolError('ABORTED', 'the client disconnected', { cause: error }))
      else sent.resolve()
    })
    await sent.promise
    const turn = BYTE_TURNS.spent(message.length)
    if (turn !== null) await turn
  }

  /** Takes nothing more in, until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  get isPaused(): boolean {
    return this.#socket.isPaused
  }

  /** Says goodbye. What the client sends from now on is read, so that its own goodbye is heard, and dropped. */
  close({ code, reason }: StreamClose): void {
    this.#socket.close(code, reason)
    this.#socket.resume()
  }

  /** Without a goodbye: it would not be heard. */
  cut(): void {
    this.#socket.terminate()
  }
}
