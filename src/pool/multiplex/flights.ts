/** The requests under way on one shared connection, and which of them a message answers. */
import { SockpoolError } from '../../base/errors.ts'
import { Queue, type QueueEntry } from '../../base/queue.ts'
import type { Wait } from '../../base/wait.ts'
import type { IdMatch, MessageId } from './id-match.ts'
import type { SharedCall, SharedReply } from './shared-call.ts'

/**
 *   unwritten ──► written ──► orphaned     its caller has gone, and its answer is still awaited
 *       └────────────┴────────────┴──► (landed, lost or withdrawn: it is no flight any more)
 */
export type FlightState =
  | { readonly kind: 'unwritten' }
  | { readonly kind: 'written' }
  | { readonly kind: 'orphaned'; readonly sinceMs: number }

export type Flight = {
  readonly call: SharedCall
  /** What the caller hears; null: the call was not sent, and may be elsewhere. */
  readonly wait: Wait<SharedReply | null>
  /** The connection was asked before. */
  readonly reused: boolean
  state: FlightState
  /** The request as it goes out. */
  sent: Uint8Array
  /** Where it stands among those whose answers come in order. */
  place: QueueEntry<Flight> | null
}

/** An answer as its caller is to see it. */
export type Landing = { readonly flight: Flight; readonly data: Buffer }

export interface Flights extends Iterable<Flight> {
  readonly size: number
  /** The request as it is to go out. Errors: FRAME_MISMATCH where it has no id; those of a module. */
  add(flight: Flight): Uint8Array
  remove(flight: Flight): void
  /** The flight that a message answers, which is none any more; null where it answers nobody. Errors: those of a module. */
  land(message: Buffer): Landing | null
}

/** The k-th message answers the k-th request. */
export class OrderedFlights implements Flights {
  readonly #queue = new Queue<Flight>()

  get size(): number {
    return this.#queue.size
  }

  *[Symbol.iterator](): Iterator<Flight> {
    for (const { value } of this.#queue) yield value
  }

  add(flight: Flight): Uint8Array {
    flight.place = this.#queue.add(flight)
    return flight.call.bytes
  }

  remove(flight: Flight): void {
    if (flight.place !== null) this.#queue.remove(flight.place)
    flight.place = null
  }

  land(data: Buffer): Landing | null {
    const { first } = this.#queue
    // What has not gone out cannot be answered.
    if (first === null || first.value.state.kind === 'unwritten') return null
    this.remove(first.value)
    return { flight: first.value, data }
  }
}

/** Ids rise and wrap; one whose answer was given up is not used again before that came after all. */
export class FlightsById implements Flights {
  readonly #match: IdMatch
  readonly #byId = new Map<MessageId, Flight>()
  readonly #ids = new Map<Flight, { readonly own: MessageId; readonly sent: MessageId }>()
  readonly #lost = new Set<MessageId>()
  #last = 0

  constructor(match: IdMatch) {
    this.#match = match
  }

  get size(): number {
    return this.#byId.size
  }

  /** Ids that were given up. */
  get lost(): number {
    return this.#lost.size
  }

  [Symbol.iterator](): Iterator<Flight> {
    return this.#byId.values()
  }

  add(flight: Flight): Uint8Array {
    const { bytes } = flight.call
    const own = this.#match.idOf(bytes)
    if (own === null) throw noId()
    const stamped = this.#stamped(bytes)
    this.#byId.set(stamped.id, flight)
    this.#ids.set(flight, { own, sent: stamped.id })
    return stamped.bytes
  }

  remove(flight: Flight): void {
    const ids = this.#ids.get(flight)
    if (ids === undefined) return
    this.#byId.delete(ids.sent)
    this.#ids.delete(flight)
  }

  /** Awaits its answer no more. */
  giveUp(flight: Flight): void {
    const ids = this.#ids.get(flight)
    if (ids !== undefined) this.#lost.add(ids.sent)
    this.remove(flight)
  }

  land(message: Buffer): Landing | null {
    const id = this.#match.idOf(message)
    const flight = id === null ? undefined : this.#byId.get(id)
    const own = flight && this.#ids.get(flight)?.own
    if (flight === undefined || own === undefined || flight.state.kind === 'unwritten') {
      if (id !== null) this.#lost.delete(id)
      return null
    }
    this.remove(flight)
    const { buffer, byteOffset, byteLength } = this.#match.withId(message, own)
    return { flight, data: Buffer.from(buffer, byteOffset, byteLength) }
  }

  /** With the next id that nobody has. What a module reads of it then is what its answer is found by. */
  #stamped(bytes: Buffer): { readonly id: MessageId; readonly bytes: Uint8Array } {
    // Of so many ids in a row one is free.
    for (let tries = this.#byId.size + this.#lost.size; tries >= 0; tries--) {
      this.#last = this.#last >= this.#match.idMax ? 1 : this.#last + 1
      const stamped = this.#match.withId(bytes, this.#last)
      const id = this.#match.idOf(stamped)
      if (id === null) throw noId()
      if (!this.#byId.has(id) && !this.#lost.has(id)) return { id, bytes: stamped }
    }
    throw new TypeError('withId must give each message the id that it is told')
  }
}

function noId(): SockpoolError {
  return new SockpoolError('FRAME_MISMATCH', 'the request has no id by which its answer could be found')
}
