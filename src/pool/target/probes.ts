/**
 * Asks idle connections whether they are still good, where their target has a dialog for that: before one is lent that
 * lay idle for long, and now and then all of them. Meanwhile a connection is quarantined, and nobody's.
 */
import type { CheckName } from '../../channel/values.ts'
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import { closeSlot } from './close-slot.ts'
import type { Refusal } from './release-result.ts'
import type { Slot } from './slot.ts'
import type { Slots } from './slots.ts'

export type ProbesDeps = {
  readonly slots: Slots
  readonly target: () => Target
  /** Why the connection may serve nobody new, whatever it answers; or null. */
  readonly retires: (slot: Slot) => Refusal | null
  readonly now: () => number
  /** One is over: its connection is idle again, or is being closed. */
  readonly onDone: () => void
  /** A fault of ours, which nobody awaits. */
  readonly onFault: (error: unknown) => void
}

export class Probes {
  readonly #deps: ProbesDeps
  #underWay = 0

  constructor(deps: ProbesDeps) {
    this.#deps = deps
  }

  get underWay(): number {
    return this.#underWay
  }

  /** Whether the idle connection has to show that it is good before it is lent. */
  isDue({ state }: Slot): boolean {
    const { now } = this.#deps
    const target = this.#deps.target()
    if (target.probe === undefined || state.kind !== 'idle' || isGreeted(state.connection)) return false
    return now() - state.provenMs >= target.pool.probeAfterMs
  }

  /** Asks all that nobody has heard of for as long as `keepalive`. */
  keepAlive(): void {
    const { slots, now } = this.#deps
    const target = this.#deps.target()
    const { keepaliveMs } = target.pool
    if (target.probe === undefined || keepaliveMs === 0) return
    for (const slot of [...slots.idle]) {
      const { state } = slot
      if (state.kind !== 'idle' || isGreeted(state.connection)) continue
      if (now() - state.provenMs >= keepaliveMs) this.begin(slot)
    }
  }

  begin(slot: Slot): void {
    const { slots, onFault } = this.#deps
    const { state } = slot
    if (state.kind !== 'idle') return
    const { connection } = state
    const call = slot.flight.begin('dialog:probe')
    slots.move(slot, { kind: 'quarantined', connection, tell: () => {}, call, returnsSinceMs: null })
    this.#underWay++
    // It never rejects.
    void connection.probe().then(name => this.#found(slot, state.sinceMs, name), onFault)
  }

  #found(slot: Slot, sinceMs: number, found: CheckName): void {
    const { slots, now, retires, onDone } = this.#deps
    this.#underWay--
    const { state } = slot
    if (state.kind === 'quarantined') {
      const why = found === 'clean' ? retires(slot) : found
      if (why !== null) closeSlot(slots, slot, why)
      else {
        slot.flight.end(state.call, 'ok')
        // Being asked is no use: it has lain idle all the while.
        slots.move(slot, { kind: 'idle', connection: state.connection, sinceMs, provenMs: now() })
      }
    }
    onDone()
  }
}

/** Its greeting is for its first lease, and would be taken for an answer to the probe. */
function isGreeted({ channel }: IoConnection): boolean {
  return channel.hasUnread
}
