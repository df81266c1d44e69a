/**
 * Dials for the slots of one target: a slot is taken for each, and given back when the dial has failed, or the socket that
 * it came to is gone.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { EndName } from '../../channel/values.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import { closeSlot, loseSlot } from './close-slot.ts'
import { DialTurns } from './dial-turns.ts'
import { ownOf } from './dial-wish.ts'
import type { DialAttempt } from './dials.ts'
import { goneAtOnce } from './gone-at-once.ts'
import type { IdleConnections } from './idle-connections.ts'
import type { LiveTarget } from './live-target.ts'
import type { Returns } from './returns.ts'
import { Slot } from './slot.ts'
import type { Slots } from './slots.ts'
import type { TargetControl } from './target-control.ts'
import type { TargetPoolDeps } from './target-pool-deps.ts'
import type { WaitQueue } from './wait-queue.ts'

export type SlotDialsDeps = Pick<TargetPoolDeps, 'origin' | 'now' | 'random' | 'onLost' | 'onFault'> & {
  readonly slots: Slots
  readonly queue: WaitQueue
  readonly live: LiveTarget
  readonly control: TargetControl
  readonly returns: Returns
  readonly idle: IdleConnections
  /** Idle connections that are asked whether they are good, each for one who waits. */
  readonly probing: () => number
  /** Whether callers are served now. */
  readonly isOpen: () => boolean
  /** A dial or a connection is over, or there is one more. */
  readonly onDone: () => void
}

export class SlotDials {
  readonly #deps: SlotDialsDeps
  readonly #turns: DialTurns

  constructor(deps: SlotDialsDeps) {
    const { slots, queue, probing } = deps
    this.#deps = deps
    this.#turns = new DialTurns({ slots, waiters: queue.waiters, probing })
  }

  begin(): void {
    const { slots, live, control, onFault } = this.#deps
    const controller = new AbortController()
    const { wish, within } = this.#turns.next()
    const slot = Slot.dialled(controller, this.#deps, live.target.pool.maxLifetimeMs, ownOf(wish))
    slot.generation = control.generation
    const attempt = live.dials.begin()
    slots.add(slot)
    attempt.dials
      .open(attempt, controller.signal, wish, within)
      .then(
        connection => this.#connected(slot, attempt, connection),
        error => this.#failed(slot, attempt, SockpoolError.from(error, 'CONNECT_FAILED')),
      )
      .catch(onFault)
  }

  #connected(slot: Slot, attempt: DialAttempt, connection: IoConnection): void {
    const { slots, idle, returns, now, onDone } = this.#deps
    // A target that hangs up at once is a failed dial, or its waiters would have it dialled over and over.
    const { gone } = connection
    if (gone !== null) return this.#failed(slot, attempt, goneAtOnce(gone))
    slots.opened(slot)
    attempt.dials.succeeded(attempt)
    idle.closeEjected()
    slot.host = attempt.host
    connection.listen({
      onChecked: found => returns.checked(slot, found),
      onClosed: how => this.#gone(slot, how),
    })
    // It was given up while it was dialled.
    if (slot.state.kind !== 'connecting') return connection.abort()
    const nowMs = now()
    slot.flight.add('connect', 'ok', slot.createdMs, nowMs - slot.createdMs)
    slots.move(slot, { kind: 'idle', connection, sinceMs: nowMs, provenMs: nowMs })
    this.#giveOut(slot, connection)
    onDone()
  }

  /** Not as one that lay idle: a peer may have said its piece and ended, for whoever awaits the connection to hear. */
  #giveOut(slot: Slot, connection: IoConnection): void {
    const { origin, slots, queue, control, isOpen } = this.#deps
    const first = this.#turns.firstFor(slot, connection)
    if (first !== null && isOpen()) return queue.serve(first, slot, connection)
    const why = origin === 'described' || slot.own ? 'unwanted' : control.retires(slot)
    if (why !== null) closeSlot(slots, slot, why)
  }

  #failed(slot: Slot, attempt: DialAttempt, error: SockpoolError): void {
    const { slots, idle, onDone } = this.#deps
    const isWanted = slot.state.kind === 'connecting'
    if (isWanted) slots.move(slot, { kind: 'closing', connection: null, reason: 'failed', lingers: false })
    this.#free(slot)
    attempt.dials.failed(attempt, error.code)
    idle.closeEjected()
    if (isWanted && error.code !== 'ABORTED') this.#turns.fail(slot, error)
    onDone()
  }

  /** The socket is gone, by whoever's doing. */
  #gone(slot: Slot, how: EndName): void {
    const { slots, onLost, onDone } = this.#deps
    if (loseSlot(slots, slot, how)) onLost(how)
    this.#free(slot)
    onDone()
  }

  #free(slot: Slot): void {
    const { slots, control } = this.#deps
    slots.free(slot)
    control.changed()
  }
}
