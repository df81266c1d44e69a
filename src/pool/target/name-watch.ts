/**
 * The names of one target's hosts, each looked up again when the time to live of its last answer is over, for as long as
 * there are connections to it. A connection to an address that an answer does not name any more is closed: at once where
 * it lies idle, else when it comes back. A look-up that fails says nothing of any connection.
 */
import { LIMITS } from '../../base/limits.ts'
import { parseAddress } from '../../egress/address.ts'
import type { NameAnswer, Place } from '../../threads/protocol.ts'
import { closeSlot } from './close-slot.ts'
import type { Connector } from './connector.ts'
import type { Slot } from './slot.ts'
import type { Slots } from './slots.ts'

export type NameWatchDeps = {
  readonly slots: Slots
  /** Its hosts, as they are now. */
  readonly places: () => readonly Place[]
  readonly connector: Connector
  readonly now: () => number
  /** A fault of ours, which nobody awaits. */
  readonly onFault: (error: unknown) => void
}

/** A name that connections were made by. */
type Watched = {
  readonly name: string
  /** Milliseconds that its last answer counts. */
  ttlMs: number
  /** When it is to be looked up; null while it is. */
  dueMs: number | null
}

export class NameWatch {
  readonly #deps: NameWatchDeps
  /** By the host's place in the target's list. */
  readonly #watched = new Map<number, Watched>()

  constructor(deps: NameWatchDeps) {
    this.#deps = deps
  }

  /** To be called now and then; what is due is looked up, and each name goes its own way. */
  sweep(): void {
    const { slots, places, now } = this.#deps
    const live = slots.byHost(['idle', 'leased', 'quarantined'])
    for (const host of this.#watched.keys()) if (!live.has(host)) this.#watched.delete(host)
    for (const host of live.keys()) {
      const name = places()[host]?.host
      if (name === undefined || parseAddress(name) !== undefined) continue
      // How long the answer counts by which it was dialled, the system does not say.
      const watched = this.#watched.get(host) ?? {
        name,
        ttlMs: LIMITS.dnsTtlMsMax,
        dueMs: now() + LIMITS.dnsTtlMsMin,
      }
      this.#watched.set(host, watched)
      if (watched.dueMs !== null && now() >= watched.dueMs) this.#lookUp(host, watched)
    }
  }

  #lookUp(host: number, watched: Watched): void {
    const { connector, now, onFault } = this.#deps
    const begunMs = now()
    watched.dueMs = null
    // Those that are dialled from now on may have a newer answer than this one.
    const before = this.#connected(host).filter(({ createdMs }) => createdMs < begunMs)
    const known = before.flatMap(slot => addressOf(slot)?.text ?? [])
    connector
      .lookUp(watched.name, [...new Set(known)])
      .then(
        answer => this.#answered(watched, before, answer),
        // It is asked again when the last answer would have been.
        () => {},
      )
      .then(() => {
        watched.dueMs = now() + watched.ttlMs
      })
      .catch(onFault)
  }

  #answered(watched: Watched, before: readonly Slot[], answer: NameAnswer): void {
    const { addresses, families, ttlMs } = answer
    watched.ttlMs = Math.min(
      Math.max(ttlMs ?? Number.POSITIVE_INFINITY, LIMITS.dnsTtlMsMin),
      LIMITS.dnsTtlMsMax,
    )
    const there = new Set(addresses)
    for (const slot of before) {
      const address = addressOf(slot)
      if (address === undefined || !families.includes(address.family)) continue
      // One that has come back by then is as good as before.
      slot.hasVanished = !there.has(address.text)
      if (slot.hasVanished && slot.state.kind === 'idle') closeSlot(this.#deps.slots, slot, 'dns')
    }
  }

  #connected(host: number): readonly Slot[] {
    return this.#deps.slots.all.filter(slot => slot.host === host && slot.connection !== null)
  }
}

/** Where the slot is connected to; undefined where no answer could name it: a link-local address has a zone of this machine. */
function addressOf({ connection }: Slot): ReturnType<typeof parseAddress> {
  const address = connection === null ? undefined : parseAddress(connection.facts.remoteAddress)
  return address?.zone === undefined ? address : undefined
}
