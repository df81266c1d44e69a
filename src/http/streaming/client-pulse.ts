/**
 * Whether the client of a stream is still there. It is pinged, and one of whom nothing at all comes for a while is gone. While
 * nobody reads what it sends, its silence says nothing; a client that is dead by then is found by the pings, which its
 * system refuses, or by TCP's own keepalive.
 */
import { LIMITS } from '../../base/limits.ts'

export type PulseOptions = {
  /** Bytes that have come of the client in all. */
  readonly bytesRead: () => number
  /** Nobody reads what it sends. */
  readonly isPaused: () => boolean
  readonly ping: () => void
  /** Called once. */
  readonly onGone: () => void
}

export class ClientPulse {
  readonly #options: PulseOptions
  readonly #timer: NodeJS.Timeout
  #bytes: number
  #silentMs = 0
  #sincePingMs = 0

  constructor(options: PulseOptions) {
    this.#options = options
    this.#bytes = options.bytesRead()
    this.#timer = setInterval(() => this.#look(), LIMITS.streamLookMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const { bytesRead, isPaused, ping, onGone } = this.#options
    const bytes = bytesRead()
    this.#silentMs = bytes !== this.#bytes || isPaused() ? 0 : this.#silentMs + LIMITS.streamLookMs
    this.#bytes = bytes
    if (this.#silentMs >= LIMITS.streamSilenceMs) {
      this.stop()
      return onGone()
    }
    this.#sincePingMs += LIMITS.streamLookMs
    if (this.#sincePingMs < LIMITS.streamPingMs) return
    this.#sincePingMs = 0
    ping()
  }
}
