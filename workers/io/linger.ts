/**
 * A connection that its holder has asked to close, while its last bytes are sent. What comes in is read and dropped, for
 * unread bytes would turn the close into a reset. All of it has one bound, counted from the first request to close: a
 * peer that takes nothing, or little by little, or never stops sending, holds it for no longer.
 */
import { LIMITS } from '../../src/base/limits.ts'

export type LingerOwner = {
  /** The time is over. */
  closesLate(): void
}

export class Linger {
  readonly #boundMs: number
  readonly #owner: LingerOwner
  #timer: NodeJS.Timeout | null = null
  #dropped = 0

  constructor(boundMs: number, owner: LingerOwner) {
    this.#boundMs = boundMs
    this.#owner = owner
  }

  /** The holder asks to close; only the first time counts. */
  begin(): void {
    this.#timer ??= setTimeout(() => this.#owner.closesLate(), this.#boundMs)
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  /** Bytes came that nobody wants; false where there were too many of them to read on. */
  drop(count: number): boolean {
    this.#dropped += count
    return this.#dropped < LIMITS.closeDropBytes
  }
}
