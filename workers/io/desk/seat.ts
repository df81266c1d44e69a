/**
 * A connection's seat at a desk: while it has one, what comes on it goes there and not into its ring, and what the desk
 * writes goes to its socket. Its lease stands as it was; whoever has the ends of its ring reads and writes nothing
 * meanwhile.
 *
 *   leased ──take──► at the desk ──leave──► leased       what the desk has not dealt with lies in the ring then
 *                        └──its socket ends──► closing
 */
import type { Socket } from 'node:net'
import { invariant } from '../../../src/base/errors.ts'
import type { Vitals } from '../../../src/channel/vitals.ts'
import type { ConnectionLife } from '../connection-life.ts'
import type { Inflow } from '../inflow.ts'
import type { MessageBalance } from '../message-balance.ts'
import type { Outflow } from '../outflow.ts'
import type { Seated } from './seated.ts'

export type SeatParts = {
  readonly life: ConnectionLife
  readonly inflow: Inflow
  readonly outflow: Outflow
  readonly balance: MessageBalance | null
  readonly vitals: Vitals
  /** The connection does what its words ask, and sends what lies in its ring. */
  readonly onLeft: () => void
}

export class Seat {
  readonly socket: Socket
  readonly #parts: SeatParts
  readonly #epoch: number

  private constructor(parts: SeatParts, socket: Socket, epoch: number) {
    this.#parts = parts
    this.socket = socket
    this.#epoch = epoch
  }

  /**
   * Null where the connection serves no lease, or is not at rest. `served`: bytes of its ring that were dealt with, since it
   * began: beyond them nothing may have come, or what comes next would be served before that.
   */
  static take(parts: SeatParts, seated: Seated, served?: number): Seat | null {
    const { life, inflow, outflow } = parts
    const { state } = life
    if (served !== undefined && served !== inflow.delivered) return null
    if (state.at !== 'leased' || inflow.end !== 'open' || inflow.isUnread || outflow.isUnsent) return null
    const { socket, epoch } = state
    life.enter({ at: 'seated', socket, epoch, seated })
    return new Seat(parts, socket, epoch)
  }

  /** True where the kernel has taken all of it. */
  write(bytes: Uint8Array): boolean {
    const { socket } = this
    this.#parts.vitals.count('bytesOut', bytes.length)
    socket.write(bytes)
    return socket.writableLength === 0
  }

  /**
   * Goes on as any lease. `asked`: requests that were sent from here and are not answered; `unseen`: what came and the desk
   * has dealt with no further. All that was asked and answered here was even, and is counted nowhere else.
   */
  leave(asked: Uint8Array | null, unseen: readonly Uint8Array[]): void {
    const { life, inflow, balance, onLeft } = this.#parts
    const { socket } = this
    invariant(life.state.at === 'seated', () => `a ${life.state.at} connection left a desk`)
    life.enter({ at: 'leased', socket, epoch: this.#epoch })
    if (asked !== null) balance?.sent(asked)
    for (const bytes of unseen) inflow.deliver(bytes, bytes.length)
    if (inflow.pauseIfFull()) socket.pause()
    else socket.resume()
    onLeft()
  }
}
