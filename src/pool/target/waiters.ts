/**
 * The callers that wait for a connection of one target: first in, first out, bounded, each with its own deadline.
 * A caller that has left holds nothing. Positions count from 1.
 */
import type { SockpoolError } from '../../base/errors.ts'
import { Queue, type QueueEntry } from '../../base/queue.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Slot } from './slot.ts'
import type { WaiterCount } from './waiter-count.ts'

export type Waiter = {
  readonly tenant: string
  /** Begins its lease on a connection that is leased to it by now. Errors: none; the waiter hears of them. */
  readonly serve: (slot: Slot, connection: IoConnection) => void
  readonly fail: (error: SockpoolError) => void
  /** How often others were served since it is the first for whom nothing is on its way. */
  passedBy: number
}

/** Begins a lease. */
export type Begin<Held> = (slot: Slot, connection: IoConnection) => Held

export class Waiters {
  readonly #queue = new Queue<Waiter>()
  /** How many wait, by tenant. */
  readonly #byTenant = new Map<string, number>()
  readonly #count: WaiterCount
  readonly #onLeft: () => void

  /** `onLeft`: a caller has left unserved, by time or signal. */
  constructor(count: WaiterCount, onLeft: () => void) {
    this.#count = count
    this.#onLeft = onLeft
  }

  get size(): number {
    return this.#queue.size
  }

  /** Whether somebody of this tenant waits. */
  has(tenant: string): boolean {
    return this.#byTenant.has(tenant)
  }

  get first(): QueueEntry<Waiter> | null {
    return this.#queue.first
  }

  [Symbol.iterator](): Iterator<QueueEntry<Waiter>> {
    return this.#queue[Symbol.iterator]()
  }

  /** What `begin` gave. Errors: its own; those of the wait: WAIT_TIMEOUT with the position, ABORTED. */
  add<Held>(tenant: string, options: WaitOptions, counts: () => string, begin: Begin<Held>): Promise<Held> {
    const wait = new Wait<Held>('the wait for a connection', 'WAIT_TIMEOUT', options, error => {
      error.add({ position: this.#positionOf(entry) })
      error.message += ` (${counts()})`
      this.#leave(entry)
      this.#onLeft()
    })
    const serve: Waiter['serve'] = (slot, connection) => {
      try {
        wait.resolve(begin(slot, connection))
      } catch (error) {
        wait.reject(error as Error)
      }
    }
    const entry = this.#queue.add({ tenant, serve, fail: error => wait.reject(error), passedBy: 0 })
    this.#byTenant.set(tenant, (this.#byTenant.get(tenant) ?? 0) + 1)
    this.#count.joined()
    return wait.promise
  }

  /** Takes a waiter out of the queue, to serve it. */
  take(entry: QueueEntry<Waiter>): Waiter {
    this.#leave(entry)
    return entry.value
  }

  /** Fails the first in the queue; false when there is none. */
  failFirst(error: SockpoolError): boolean {
    return this.#fail(this.#queue.first, error)
  }

  /** As `failFirst`, for the last. */
  failLast(error: SockpoolError): boolean {
    return this.#fail(this.#queue.last, error)
  }

  #fail(entry: QueueEntry<Waiter> | null, error: SockpoolError): boolean {
    if (entry === null) return false
    this.#leave(entry)
    entry.value.fail(error)
    return true
  }

  #leave(entry: QueueEntry<Waiter>): void {
    if (!this.#queue.remove(entry)) return
    const { tenant } = entry.value
    const others = (this.#byTenant.get(tenant) ?? 1) - 1
    if (others === 0) this.#byTenant.delete(tenant)
    else this.#byTenant.set(tenant, others)
    this.#count.left()
  }

  #positionOf(wanted: QueueEntry<Waiter>): number {
    let position = 1
    for (let entry = wanted.before; entry !== null; entry = entry.before) position++
    return position
  }
}
