/**
 * One WebSocket of a lease's stream, from its opening to its end, in the words of the protocol `sockpool.v1` with
 * acknowledgements.
 *
 *   service: {"readOffset","writeOffset"}, then bytes, {"accepted":OFFSET}, {"eof":true}
 *   client:  bytes, {"consumed":OFFSET}, {"eof":true}
 */
import { CLIENT_LIMITS } from '../base/client-limits.ts'
import type { Wire, WireSocket } from './wire.ts'

export type StreamEars = {
  /** The service speaks: the offsets of the first byte that it sends, and of the first that it does not have. */
  begun(readOffset: number, writeOffset: number): void
  bytes(bytes: Uint8Array): void
  accepted(offset: number): void
  /** The peer has ended its direction. */
  eof(how: string | null): void
  /** `isBegun`: whether the service had spoken. Code 1006: it broke, or never opened. */
  closed(code: number, reason: string, isBegun: boolean): void
  /** Nothing was heard for long. */
  silent(): void
}

export class RemoteSocket {
  readonly #socket: WireSocket
  readonly #ears: StreamEars
  #isBegun = false
  #isEofSent = false
  #isOver = false
  #timer: ReturnType<typeof setTimeout> | null = null

  constructor(wire: Wire, path: string, ears: StreamEars) {
    this.#ears = ears
    this.#await(CLIENT_LIMITS.serviceConnectMs)
    this.#socket = wire.openSocket(path, {
      opened: () => this.#await(CLIENT_LIMITS.serviceConnectMs),
      text: text => this.#heard(text),
      bytes: bytes => {
        this.alive()
        ears.bytes(bytes)
      },
      alive: () => this.alive(),
      closed: (code, reason) => this.#over(code, reason),
    })
  }

  get isBegun(): boolean {
    return this.#isBegun
  }

  send(bytes: Uint8Array): void {
    this.#socket.send(bytes)
  }

  sendConsumed(offset: number): void {
    this.#socket.send(JSON.stringify({ consumed: offset }))
  }

  /** Ends the direction; once. */
  sendEof(): void {
    if (this.#isEofSent) return
    this.#isEofSent = true
    this.#socket.send('{"eof":true}')
  }

  /** The service has been heard of. */
  alive(): void {
    if (this.#isBegun && !this.#isOver) this.#await(CLIENT_LIMITS.serviceSilenceMs)
  }

  /** Says good-bye; `closed` follows, in time. */
  leave(): void {
    this.#await(CLIENT_LIMITS.streamByeMs)
    this.#socket.close()
  }

  /** Ends it here; nothing more is told. */
  drop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stop()
    this.#socket.drop()
  }

  #heard(text: string): void {
    const message = messageOf(text)
    if (message === null) return
    const { readOffset, writeOffset, accepted, eof, end } = message
    if (!this.#isBegun) {
      if (typeof readOffset !== 'number' || typeof writeOffset !== 'number') return
      this.#isBegun = true
      this.#ears.begun(readOffset, writeOffset)
    }
    this.alive()
    if (typeof accepted === 'number') this.#ears.accepted(accepted)
    if (eof === true) this.#ears.eof(typeof end === 'string' ? end : null)
  }

  #over(code: number, reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stop()
    this.#ears.closed(code, reason, this.#isBegun)
  }

  #await(ms: number): void {
    this.#stop()
    if (this.#isOver) return
    this.#timer = setTimeout(() => {
      if (this.#isBegun && ms === CLIENT_LIMITS.serviceSilenceMs) return this.#ears.silent()
      this.#socket.drop()
      this.#over(BROKEN, '')
    }, ms)
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}

/** The code of a socket that ended without a good-bye. */
export const BROKEN = 1006

/** What is no object is of a later protocol, and nothing to us. */
function messageOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null
  } catch {
    return null
  }
}
