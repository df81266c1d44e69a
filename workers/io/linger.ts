/**
 * A connection that its holder has asked to close, while its last bytes are sent: `lingers`, what comes is read and
 * dropped, for unread bytes would turn the close into a reset; `closes`, all is sent and FIN follows. Both have a
 * bound: a peer that takes nothing, or never stops sending, may not hold a closing connection for ever.
 */
import type { Socket } from 'node:net'
import { LIMITS } from '../../src/base/limits.ts'

export class Linger {
  #state: 'open' | 'lingers' | 'closes' = 'open'
  #dropped = 0

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  begin(socket: Socket): void {
    if (this.#state !== 'open') return
    this.#state = 'lingers'
    socket.resume()
    socket.setTimeout(LIMITS.closeLingerMs, () => socket.destroy())
  }

  /** All is sent. */
  close(socket: Socket): void {
    this.begin(socket)
    if (this.#state === 'closes') return
    this.#state = 'closes'
    socket.destroySoon()
  }

  /** Bytes came that nobody wants; false where there were too many of them to read on. */
  drop(count: number): boolean {
    this.#dropped += count
    return this.#dropped < LIMITS.closeDropBytes
  }
}
