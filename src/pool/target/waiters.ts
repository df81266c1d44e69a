/**
 * The callers that wait for a connection of one target: bounded, each with its own deadline. Of one tenant they are
 * served first in, first out; the tenants take turns, and one of twice the weight has twice as many. A caller that has
 * left holds nothing and has used no turn. Positions count from 1.
 */
import type { SockpoolError } from '../../base/errors.ts'
import { PlacedQueue } from '../../base/placed-queue.ts'
import type { QueueEntry } from '../../base/queue.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { DialParent } from './dial-parent.ts'
import type { DialWish } from './dial-wish.ts'
import type { Slot } from './slot.ts'
import type { WaiterCount } from './waiter-count.ts'

/** `Place`: what a caller waits for. */
export type Waiter<Place extends readonly unknown[] = LeasedPlace> = {
  readonly tenant: string
  readonly wish: DialWish | null
  readonly dialParent: DialParent | null
  /** Counts the callers of this target. */
  readonly arrival: number
  /** Instants on the monotonic clock, in milliseconds. */
  readonly sinceMs: number
  readonly untilMs: number
  /** Begins what it waited for, at its place. Errors: none; the waiter hears of them. */
  readonly serve: (...place: Place) => void
  readonly fail: (error: SockpoolError) => void
  /** How often others were served since it is the first for whom nothing is on its way. */
  passedBy: number
}

/** A connection that is leased to the caller by now. */
export type LeasedPlace = readonly [slot: Slot, connection: IoConnection]

/** Begins what was waited for. */
export type Begin<Held, Place extends readonly unknown[] = LeasedPlace> = (...place: Place) => Held

/** Who asks, and the tenant's share while others wait; default: 1. */
export type Asking = {
  readonly tenant: string
  readonly weight?: number | undefined
  /** Default: any connection. */
  readonly wish?: DialWish | null | undefined
  /** What the span of a dial for it hangs below; default: nothing. */
  readonly dialParent?: DialParent | null | undefined
}

/** What waiters tell of themselves. */
export type WaitersDeps = {
  readonly count: Pick<WaiterCount, 'joined' | 'left'>
  readonly now: () => number
  /** Adds to the error of a wait that time or signal ended. */
  readonly explain: (error: SockpoolError, position: number) => void
  /** A caller has left unserved, by time or signal. */
  readonly onLeft: () => void
}

/** The callers of one tenant. The k-th of them, from 0, has its turn at `turn + k / weight`. */
type Line<Place extends readonly unknown[]> = {
  readonly queue: PlacedQueue<Waiter<Place>>
  weight: number
  turn: number
}

/** Turns that differ by less are one: they are sums of shares, and no two different ones are as near. */
const SAME_TURN = 1e-7

type Cursor<Place extends readonly unknown[]> = {
  entry: QueueEntry<Waiter<Place>>
  turn: number
  readonly step: number
}

export class Waiters<Place extends readonly unknown[] = LeasedPlace> {
  readonly #lines = new Map<string, Line<Place>>()
  readonly #deps: WaitersDeps
  #size = 0
  /** Of those who wait, the ones that do not take any connection. */
  #wishes = 0
  #arrivals = 0
  /** The turn that was served last: whoever comes new begins there. */
  #turn = 0

  constructor(deps: WaitersDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#size
  }

  get hasWishes(): boolean {
    return this.#wishes > 0
  }

  /** Those that have waiters, or had of late. */
  get tenants(): Iterable<string> {
    return this.#lines.keys()
  }

  /** How many wait of this tenant. */
  sizeOf(tenant: string): number {
    return this.#lines.get(tenant)?.queue.size ?? 0
  }

  /** The tenant of which most wait; null where nobody does. */
  get busiest(): string | null {
    let busiest: string | null = null
    for (const [tenant, { queue }] of this.#lines)
      if (queue.size > 0 && queue.size > (busiest === null ? 0 : this.sizeOf(busiest))) busiest = tenant
    return busiest
  }

  get first(): QueueEntry<Waiter<Place>> | null {
    for (const entry of this) return entry
    return null
  }

  /** Of this tenant the one that came last; null where nobody waits. */
  lastOf(tenant: string): QueueEntry<Waiter<Place>> | null {
    return this.#lines.get(tenant)?.queue.last ?? null
  }

  /** In the order in which they have their turns. The one that was given last may leave meanwhile. */
  *[Symbol.iterator](): Generator<QueueEntry<Waiter<Place>>, void, undefined> {
    const cursors: Cursor<Place>[] = []
    for (const { queue, turn, weight } of this.#lines.values())
      if (queue.first !== null) cursors.push({ entry: queue.first, turn, step: 1 / weight })
    while (cursors.length > 0) {
      const cursor = cursors.reduce((best, other) => (isBefore(other, best) ? other : best))
      const { entry } = cursor
      const { after } = entry
      if (after === null) cursors.splice(cursors.indexOf(cursor), 1)
      else Object.assign(cursor, { entry: after, turn: cursor.turn + cursor.step })
      yield entry
    }
  }

  /** What `begin` gave. Errors: its own; those of the wait: WAIT_TIMEOUT with the position, ABORTED. */
  add<Held>(asking: Asking, options: WaitOptions, begin: Begin<Held, Place>): Promise<Held> {
    const { now, explain, onLeft, count } = this.#deps
    const { tenant, weight = 1, wish = null, dialParent = null } = asking
    const wait = new Wait<Held>('the wait for a connection', 'WAIT_TIMEOUT', options, error => {
      explain(error, this.positionOf(entry))
      this.#leave(entry)
      onLeft()
    })
    const serve: Waiter<Place>['serve'] = (...place) => {
      try {
        wait.resolve(begin(...place))
      } catch (error) {
        wait.reject(error as Error)
      }
    }
    const line = this.#lineOf(tenant, weight)
    const sinceMs = now()
    const untilMs = sinceMs + (options.timeoutMs ?? Infinity)
    const arrival = this.#arrivals++
    const fail: Waiter<Place>['fail'] = error => wait.reject(error)
    const asked = { tenant, wish, dialParent, arrival, sinceMs, untilMs }
    const entry = line.queue.add({ ...asked, serve, fail, passedBy: 0 })
    this.#size++
    if (wish !== null) this.#wishes++
    count.joined()
    return wait.promise
  }

  /** Takes a waiter out of the queue, to serve it. */
  take(entry: QueueEntry<Waiter<Place>>): Waiter<Place> {
    const line = this.#lines.get(entry.value.tenant)
    if (line && entry.isQueued) {
      this.#turn = Math.max(this.#turn, line.turn)
      line.turn += 1 / line.weight
    }
    this.#leave(entry)
    return entry.value
  }

  /** Fails the first in the queue; false when there is none. */
  failFirst(error: SockpoolError): boolean {
    const { first } = this
    if (first !== null) this.fail(first, error)
    return first !== null
  }

  /** As `failFirst`, for the last. */
  failLast(error: SockpoolError): boolean {
    let last: Cursor<Place> | null = null
    for (const { queue, turn, weight } of this.#lines.values()) {
      if (queue.last === null) continue
      const cursor = { entry: queue.last, turn: turn + (queue.size - 1) / weight, step: 0 }
      if (last === null || isBefore(last, cursor)) last = cursor
    }
    if (last !== null) this.fail(last.entry, error)
    return last !== null
  }

  fail(entry: QueueEntry<Waiter<Place>>, error: SockpoolError): void {
    this.#leave(entry)
    entry.value.fail(error)
  }

  /** A tenant that comes new owes no more than what it was served beyond its share. */
  #lineOf(tenant: string, weight: number): Line<Place> {
    const known = this.#lines.get(tenant)
    const line = known ?? { queue: new PlacedQueue<Waiter<Place>>(), weight, turn: this.#turn }
    if (known === undefined) this.#lines.set(tenant, line)
    if (line.queue.size === 0) line.turn = Math.max(this.#turn, line.turn)
    line.weight = weight
    return line
  }

  #leave(entry: QueueEntry<Waiter<Place>>): void {
    const line = this.#lines.get(entry.value.tenant)
    if (!line?.queue.remove(entry)) return
    this.#size--
    if (entry.value.wish !== null) this.#wishes--
    // Nothing that is past tells more of a tenant.
    for (const [tenant, { queue, turn }] of line.queue.size > 0 ? [] : this.#lines)
      if (queue.size === 0 && (this.#size === 0 || turn <= this.#turn)) this.#lines.delete(tenant)
    this.#deps.count.left()
  }

  /**
   * Its place among all who wait; 1 for one that does not.
   * Not by going through all in their order: where the time of thousands is up at once, each of them asks, and whoever is
   * told last has waited for all the others.
   */
  positionOf(wanted: QueueEntry<Waiter<Place>>): number {
    const { tenant, arrival } = wanted.value
    const own = this.#lines.get(tenant)
    if (own === undefined || !wanted.isQueued) return 1
    const place = own.queue.placeOf(wanted)
    const turn = own.turn + place / own.weight
    let position = place + 1
    for (const line of this.#lines.values()) if (line !== own) position += aheadOf(line, turn, arrival)
    return position
  }
}

/** How many of a line have their turn before this one; of two that have the same, whoever came first. */
function aheadOf<Place extends readonly unknown[]>(line: Line<Place>, turn: number, arrival: number): number {
  const { queue, weight } = line
  const ahead = Math.min(queue.size, Math.max(0, Math.ceil((turn - SAME_TURN - line.turn) * weight)))
  const next = line.turn + ahead / weight
  if (ahead === queue.size || next > turn + SAME_TURN) return ahead
  return (queue.at(ahead)?.value.arrival ?? arrival) < arrival ? ahead + 1 : ahead
}

function isBefore<Place extends readonly unknown[]>(one: Cursor<Place>, other: Cursor<Place>): boolean {
  if (one.turn !== other.turn) return one.turn < other.turn
  return one.entry.value.arrival < other.entry.value.arrival
}
