/**
 * The queue in front of the connections of one target: who waits, what they can expect, what they are told where they
 * fail, and who of them is refused early.
 */
import { type ErrorCode, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { QueueEntry } from '../../base/queue.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import { Demand } from './demand.ts'
import type { TargetNews } from './pool-news.ts'
import { Shedding } from './shedding.ts'
import type { Slot } from './slot.ts'
import type { Slots } from './slots.ts'
import type { WaiterCount } from './waiter-count.ts'
import { type Asking, type Begin, type Waiter, Waiters } from './waiters.ts'

export type WaitQueueDeps = {
  readonly slots: Slots
  /** Waiters of all targets together. */
  readonly waiterCount: WaiterCount
  /** Hears of callers that wait for others. */
  readonly tidings: TargetNews
  readonly now: () => number
  /** A caller has left unserved, by time or signal. */
  readonly onLeft: () => void
  /** Whether callers are served at all. */
  readonly isActive: () => boolean
}

export class WaitQueue {
  readonly waiters: Waiters
  readonly #deps: WaitQueueDeps
  readonly #demand: Demand
  readonly #shedding: Shedding

  constructor(deps: WaitQueueDeps) {
    const { slots, waiterCount, now, onLeft } = deps
    this.#deps = deps
    this.#demand = new Demand(slots, now)
    const count = {
      joined: () => {
        waiterCount.joined()
        slots.changed()
      },
      left: () => {
        waiterCount.left()
        slots.changed()
      },
    }
    this.waiters = new Waiters({
      count,
      now,
      explain: (error, position) => this.#explain(error, position),
      onLeft,
    })
    this.#shedding = new Shedding({
      waiters: this.waiters,
      now,
      max: () => slots.max,
      isFull: () => slots.isFull && deps.isActive(),
      // Where permits alone are lacking, those of other instances come within that time if any do.
      patienceMs: () => (slots.isFullOwn ? 0 : LIMITS.fleetWantMs),
      expectedWaitMs: position => this.#demand.expectedWaitMs(position),
      refusal: position =>
        this.#refusal('QUEUE_FULL', 'more callers wait than can be served in time', position),
    })
  }

  /** Milliseconds that a new caller would wait; 0 where there is room, null where nobody knows. */
  get expectedWaitMs(): number | null {
    const { slots } = this.#deps
    if (!slots.isFull || slots.idle.length > 0) return 0
    return this.#demand.expectedWaitMs(this.waiters.size + 1) ?? null
  }

  /** As Waiters.add. Errors: QUEUE_FULL too. */
  add<Held>(asking: Asking, options: WaitOptions, begin: Begin<Held>): Promise<Held> {
    const { waiterCount } = this.#deps
    if (waiterCount.isFull) throw this.newcomer('QUEUE_FULL', `${waiterCount.max} callers wait already`)
    const served = this.waiters.add(asking, options, begin)
    this.#shedding.joined()
    this.#tellOf(served)
    return served
  }

  /** Why a caller is not let in who would be the last. */
  newcomer(code: ErrorCode, what: string): SockpoolError {
    return this.#refusal(code, what, this.waiters.size + 1)
  }

  /** Fails one that waits for no longer. */
  fail(entry: QueueEntry<Waiter>, code: ErrorCode, what: string): void {
    this.waiters.fail(entry, this.#refusal(code, what, this.waiters.positionOf(entry)))
  }

  serve(entry: QueueEntry<Waiter>, slot: Slot, connection: IoConnection): void {
    this.#shedding.served(entry.value)
    this.waiters.take(entry).serve(slot, connection)
  }

  /** A lease has ended that was held for so long. */
  held(ms: number): void {
    this.#demand.ended(ms)
  }

  /** Fails those for whom `refusal` has an error. How many. */
  refuse(refusal: (tenant: string) => SockpoolError | null): number {
    let count = 0
    for (const entry of [...this.waiters]) {
      const error = refusal(entry.value.tenant)
      if (error === null) continue
      this.waiters.fail(entry, error)
      count++
    }
    return count
  }

  /** Fails all. */
  close(error: () => SockpoolError): void {
    this.#shedding.stop()
    while (this.waiters.failFirst(error()));
  }

  /** Who only waits for its own dial waits for nobody. */
  #tellOf(served: Promise<unknown>): void {
    const { tidings, now, slots, isActive } = this.#deps
    if (!tidings.isHeard || (isActive() && !slots.isFull)) return
    const sinceMs = now()
    tidings.tell('wait', { reason: 'begun' })
    const over = (reason: string): void => tidings.tell('wait', { reason, ms: now() - sinceMs })
    served.then(
      () => over('served'),
      error => over(SockpoolError.from(error).code.toLowerCase()),
    )
  }

  #refusal(code: ErrorCode, what: string, position: number): SockpoolError {
    return this.#explain(new SockpoolError(code, what), position)
  }

  /** Adds what a caller that waits can do with: how long that takes, and who holds what it waits for. */
  #explain(error: SockpoolError, position: number): SockpoolError {
    error.message += ` (${this.#deps.slots.describe()}; ${this.waiters.size} waiting)`
    return error.add({ position, ...this.#demand.detailsAt(position) })
  }
}
