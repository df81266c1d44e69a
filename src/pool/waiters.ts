/**
 * The callers that wait for a connection of one target: first in, first out, bounded, each with its own deadline.
 * A caller that has left holds nothing. Positions count from 1.
 */
import type { SockpoolError } from '../base/errors.ts'
import { Wait, type WaitOptions } from '../base/wait.ts'
import type { Crowd } from './crowd.ts'
import type { PooledConnection } from './pooled-connection.ts'

export type Waiter = {
  readonly tenant: string
  readonly sinceMs: number
  readonly wait: Wait<PooledConnection>
}

export class Waiters {
  /** Insertion order is the queue's order, and leaving from the middle costs nothing. */
  readonly #queue = new Set<Waiter>()
  readonly #crowd: Crowd

  constructor(crowd: Crowd) {
    this.#crowd = crowd
  }

  get size(): number {
    return this.#queue.size
  }

  get first(): Waiter | null {
    for (const waiter of this.#queue) return waiter
    return null
  }

  [Symbol.iterator](): Iterator<Waiter> {
    return this.#queue.values()
  }

  /** Errors of the wait: WAIT_TIMEOUT with the position, ABORTED. */
  add(tenant: string, nowMs: number, options: WaitOptions, counts: () => string): Promise<PooledConnection> {
    const wait = new Wait<PooledConnection>('the wait for a connection', 'WAIT_TIMEOUT', options, error => {
      error.add({ position: this.#positionOf(waiter) })
      error.message += ` (${counts()})`
      this.#leave(waiter)
    })
    const waiter: Waiter = { tenant, sinceMs: nowMs, wait }
    this.#queue.add(waiter)
    this.#crowd.joined()
    return wait.promise
  }

  serve(waiter: Waiter, connection: PooledConnection): void {
    this.#leave(waiter)
    waiter.wait.resolve(connection)
  }

  /** Fails the first in the queue; false when there is none. */
  failFirst(error: SockpoolError): boolean {
    for (const waiter of this.#queue) {
      this.#leave(waiter)
      waiter.wait.reject(error)
      return true
    }
    return false
  }

  #leave(waiter: Waiter): void {
    if (this.#queue.delete(waiter)) this.#crowd.left()
  }

  #positionOf(wanted: Waiter): number {
    let position = 0
    for (const waiter of this.#queue) {
      position++
      if (waiter === wanted) break
    }
    return position
  }
}
