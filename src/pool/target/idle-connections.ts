/**
 * The idle connections of one target: which of them is lent, and which are closed for their age, for their host, or for
 * a caller that needs the room.
 */
import type { QueueEntry } from '../../base/queue.ts'
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import { closeSlot } from './close-slot.ts'
import { fits } from './dial-wish.ts'
import type { Hosts } from './hosts.ts'
import type { Probes } from './probes.ts'
import type { Slot } from './slot.ts'
import type { Slots } from './slots.ts'
import { mayPass } from './turns.ts'
import type { WaitQueue } from './wait-queue.ts'
import type { Asking, Waiter, Waiters } from './waiters.ts'

/** One that may be lent. */
export type IdleConnection = { readonly slot: Slot; readonly connection: IoConnection }

/** Who asks for one. */
export type IdleAsking = Pick<Asking, 'tenant' | 'wish'>

export type IdleConnectionsDeps = {
  readonly slots: Slots
  readonly probes: Probes
  /** What the target is now. */
  readonly target: () => Target
  readonly hosts: () => Hosts
  readonly now: () => number
}

export class IdleConnections {
  readonly #deps: IdleConnectionsDeps
  readonly #slots: Slots
  readonly #probes: Probes

  constructor(deps: IdleConnectionsDeps) {
    this.#deps = deps
    this.#slots = deps.slots
    this.#probes = deps.probes
  }

  /** One that this tenant may have and that is still good: the most recently used, or that of the best host. */
  choose(asking: IdleAsking): IdleConnection | null {
    return this.#chosen(asking, 'proven')
  }

  /** As `choose`, of those that have to show first that they are good. */
  chooseDue(asking: IdleAsking): IdleConnection | null {
    return this.#chosen(asking, 'due')
  }

  #chosen(asking: IdleAsking, which: 'proven' | 'due'): IdleConnection | null {
    const hosts = this.#deps.hosts()
    if (hosts.isOne) return this.#usableUpTo(this.#slots.idle.length, asking, which)
    return hosts.choose(this.#usable(asking, which), ({ slot }) => slot.host)
  }

  /** Has one of those asked; false where there is none. */
  probe(asking: IdleAsking): boolean {
    const due = this.chooseDue(asking)
    if (due !== null) this.#probes.begin(due.slot)
    return due !== null
  }

  /**
   * Has those who wait served: whoever comes first has a connection of its own tenant, or the next new one, or has room made
   * for it. `unprovided`: waiters for whom no dial and no probe is under way.
   */
  lend(queue: WaitQueue, unprovided: () => number): void {
    const { waiters } = queue
    if (waiters.size === 0) return
    let provided = 0
    let foremost: QueueEntry<Waiter> | null = null
    for (const waiter of waiters) {
      if (this.#slots.idle.length === 0) return
      const idle = this.choose(waiter.value)
      if (idle !== null) {
        if (foremost !== null) foremost.value.passedBy++
        queue.serve(waiter, idle.slot, idle.connection)
      } else if (unprovided() > 0 && this.probe(waiter.value)) {
        provided++
      } else if (foremost === null) {
        if (provided < this.#slots.rooms || this.makeRoom(waiters, waiter)) provided++
        else foremost = waiter
      }
    }
  }

  /** Closes what is too old, idle too long, or gone, and asks the others, where it is time to, whether they are good. */
  sweep(): void {
    const now = this.#deps.now()
    const { min, idleTimeoutMs } = this.#deps.target().pool
    // The oldest idle ones lie at the bottom.
    for (const slot of [...this.#slots.idle]) {
      if (slot.state.kind !== 'idle') continue
      if (!slot.state.connection.isFresh) closeSlot(this.#slots, slot, 'error')
      else if (now >= slot.diesMs) closeSlot(this.#slots, slot, 'lifetime')
      else if (now - slot.state.sinceMs >= idleTimeoutMs && this.#slots.open > min)
        closeSlot(this.#slots, slot, 'idle')
    }
    this.#probes.keepAlive()
  }

  /** What lies idle to a host that nobody reaches is no good any more. */
  closeEjected(): void {
    for (const slot of [...this.#slots.idle])
      if (this.#deps.hosts().stateOf(slot.host) === 'ejected') closeSlot(this.#slots, slot, 'ejected')
  }

  /** Closes what lies idle for another tenant, so that a new connection may be dialled; false where the caller may wait. */
  makeRoom(waiters: Waiters, waiter: QueueEntry<Waiter>): boolean {
    const { idle } = this.#slots
    const useless =
      idle.find(({ tenant }) => tenant !== null && waiters.sizeOf(tenant) === 0) ?? misfit(idle, waiter.value)
    const slot = useless ?? idle[0]
    if (slot === undefined || (slot.tenant === null && slot !== useless)) return false
    if (slot !== useless && slot.tenant !== null && mayPass(this.#slots, waiters, waiter, slot.tenant))
      return false
    closeSlot(this.#slots, slot, 'evicted')
    return true
  }

  /** The most recently used first. */
  *#usable(asking: IdleAsking, which: 'proven' | 'due'): Generator<IdleConnection, void, undefined> {
    let found = this.#usableUpTo(this.#slots.idle.length, asking, which)
    for (; found !== null; found = this.#usableUpTo(this.#slots.idle.indexOf(found.slot), asking, which))
      yield found
  }

  /** The last of so many of the idle ones. What is no good any more is closed on the way. */
  #usableUpTo(
    count: number,
    { tenant, wish = null }: IdleAsking,
    which: 'proven' | 'due',
  ): IdleConnection | null {
    const { idle } = this.#slots
    for (let index = count - 1; index >= 0; index--) {
      const slot = idle[index]
      if (slot === undefined || (slot.tenant !== null && slot.tenant !== tenant)) continue
      if (slot.state.kind !== 'idle') continue
      const { connection } = slot.state
      if (!fits(wish, slot, connection)) continue
      if (!connection.isFresh || this.#deps.now() >= slot.diesMs)
        closeSlot(this.#slots, slot, connection.isFresh ? 'lifetime' : 'error')
      else if (this.#probes.isDue(slot) === (which === 'due')) return { slot, connection }
    }
    return null
  }
}

/** One that this caller would have, did it not live in another thread, or were its caller's own words not to be said first. */
function misfit(idle: readonly Slot[], { tenant, wish }: Waiter): Slot | undefined {
  if (wish === null) return undefined
  const isTheirs = (slot: Slot): boolean => slot.tenant === null || slot.tenant === tenant
  return idle.find(
    slot => isTheirs(slot) && slot.state.kind === 'idle' && !fits(wish, slot, slot.state.connection),
  )
}
