/** For whom is dialled next, and whose a connection is that was: where some of those who wait take only what fits them. */
import type { SockpoolError } from '../../base/errors.ts'
import type { QueueEntry } from '../../base/queue.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { SpanParent } from '../../tracing/caller-trace.ts'
import { type DialWish, fits, ownOf } from './dial-wish.ts'
import type { Slot } from './slot.ts'
import type { Slots } from './slots.ts'
import type { Waiter, Waiters } from './waiters.ts'

export type DialTurnsDeps = {
  readonly slots: Slots
  readonly waiters: Waiters
  /** Idle connections that are asked whether they are good, each for one who waits. */
  readonly probing: () => number
}

/** `within`: what the span of the dial hangs below; null for nothing. */
export type DialTurn = { readonly wish: DialWish | null; readonly within: SpanParent | null }

export class DialTurns {
  readonly #deps: DialTurnsDeps

  constructor(deps: DialTurnsDeps) {
    this.#deps = deps
  }

  /** For whom the next dial is. */
  next(): DialTurn {
    const wish = this.#nextWish()
    return { wish, within: this.#nextParent(wish) }
  }

  /** The wish of the first who waits for whom nothing is under way; null for none in particular. */
  #nextWish(): DialWish | null {
    const { slots, waiters, probing } = this.#deps
    if (!waiters.hasWishes) return null
    const dialled = slots.all.filter(({ state }) => state.kind === 'connecting').map(({ own }) => own)
    let others = dialled.filter(own => own === null).length + probing()
    for (const { value } of waiters) {
      const own = ownOf(value.wish)
      if (own === null ? others-- <= 0 : !dialled.includes(own)) return value.wish
    }
    return null
  }

  /** What the span of the first hangs below for whom such a dial has not been begun; null where that one has none. */
  #nextParent(wish: DialWish | null): SpanParent | null {
    for (const { value } of this.#deps.waiters) {
      if (value.dialParent === null) return null
      const within = ownOf(value.wish) === ownOf(wish) ? value.dialParent.take() : null
      if (within !== null) return within
    }
    return null
  }

  /** The first who waits for such a connection. */
  firstFor(slot: Slot, connection: IoConnection): QueueEntry<Waiter> | null {
    const { waiters } = this.#deps
    if (!waiters.hasWishes) return slot.own === null ? waiters.first : null
    for (const entry of waiters) if (fits(entry.value.wish, slot, connection)) return entry
    return null
  }

  /** Fails the first who waits and whose dial it may have been. */
  fail({ own }: Slot, error: SockpoolError): void {
    const { waiters } = this.#deps
    for (const entry of waiters) if (ownOf(entry.value.wish) === own) return waiters.fail(entry, error)
  }
}
