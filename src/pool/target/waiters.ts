/**
 * The callers that wait for a connection of one target: first in, first out, bounded, each with its own deadline.
 * A caller that has left holds nothing. Positions count from 1.
 */
import type { SockpoolError } from '../../base/errors.ts'
import { Queue, type QueueEntry } from '../../base/queue.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'
import type { Crowd } from './crowd.ts'
import type { PooledConnection } from './pooled-connection.ts'

export type Waiter = {
  readonly tenant: string
  readonly sinceMs: number
  readonly wait: Wait<PooledConnection>
}

export class Waiters {
  readonly #queue = new Queue<Waiter>()
  readonly #crowd: Crowd

  constructor(crowd: Crowd) {
    this.#crowd = crowd
  }

  get size(): number {
    return this.#queue.size
  }

  get first(): QueueEntry<Waiter> | null {
    return this.#queue.first
  }

  [Symbol.iterator](): Iterator<QueueEntry<Waiter>> {
    return this.#queue[Symbol.iterator]()
  }

  /** Errors of the wait: WAIT_TIMEOUT with the position, ABORTED. */
  add(tenant: string, nowMs: number, options: WaitOptions, counts: () => string): Promise<PooledConnection> {
    const wait = new Wait<PooledConnection>('the wait for a connection', 'WAIT_TIMEOUT', options, error => {
      error.add({ position: this.#positionOf(entry) })
      error.message += ` (${counts()})`
      this.#leave(entry)
    })
    const entry = this.#queue.add({ tenant, sinceMs: nowMs, wait })
    this.#crowd.joined()
    return wait.promise
  }

  serve(entry: QueueEntry<Waiter>, connection: PooledConnection): void {
    this.#leave(entry)
    entry.value.wait.resolve(connection)
  }

  /** Fails the first in the queue; false when there is none. */
  failFirst(error: SockpoolError): boolean {
    const { first } = this.#queue
    if (first === null) return false
    this.#leave(first)
    first.value.wait.reject(error)
    return true
  }

  #leave(entry: QueueEntry<Waiter>): void {
    if (this.#queue.remove(entry)) this.#crowd.left()
  }

  #positionOf(wanted: QueueEntry<Waiter>): number {
    let position = 1
    for (let entry = wanted.before; entry !== null; entry = entry.before) position++
    return position
  }
}
