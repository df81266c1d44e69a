/** The slots of one target, as whoever grants permits for them sees them, and what it may do to them. */
import type { PoolSettings } from '../../config/target.ts'
import { closeSlot } from './close-slot.ts'
import type { LiveTarget } from './live-target.ts'
import type { PermitTaker, PermitUse } from './permits.ts'
import type { Slot, SlotLease } from './slot.ts'
import type { Slots } from './slots.ts'
import type { TargetControl } from './target-control.ts'

export type PermittedSlotsDeps = {
  readonly slots: Slots
  readonly control: TargetControl
  readonly live: Pick<LiveTarget, 'dials'> & { readonly settings: Pick<PoolSettings, 'min'> }
  /** Waiters for whom no dial, no probe and no connection is under way. */
  readonly unprovided: () => number
  /** Permits are others than before: whoever waits may be served, or dialled for. */
  readonly onRefreshed: () => void
  /** Slots close on which somebody may have counted. */
  readonly onCut: () => void
}

export class PermittedSlots implements PermitTaker {
  readonly #deps: PermittedSlotsDeps

  constructor(deps: PermittedSlotsDeps) {
    this.#deps = deps
  }

  /** Who may not dial wants no permit: none is asked for while the target is paused, has just failed, or has its dials. */
  get use(): PermitUse {
    const { slots, control, live, unprovided } = this.#deps
    const { size, connecting, open } = slots
    const most = Math.min(control.isActive ? live.dials.roomFor(connecting) : 0, slots.maxOwn - size)
    // Slots that are free, or about to be, have permits.
    const atHand = Math.max(0, slots.rooms - connecting)
    const more = (lacking: number): number => Math.max(0, Math.min(lacking - atHand, most))
    return {
      taken: size,
      idle: slots.idle.length,
      wanting: more(unprovided()),
      cold: more(live.settings.min - open),
    }
  }

  refresh(): void {
    this.#deps.control.closeSurplus()
    this.#deps.onRefreshed()
  }

  cut(): number {
    const { slots, onCut } = this.#deps
    let surplus = slots.open - slots.max
    // Those that still send their last bytes to a peer that may take its time are the first to be over.
    let lingering = slots.size - slots.max - slots.closingAtOnce
    for (const { state } of slots.all)
      if (state.kind === 'closing' && state.lingers && lingering-- > 0) state.connection?.abort()
    let count = 0
    for (const slot of this.#victims()) {
      if (surplus <= 0) break
      if (!this.#end(slot)) continue
      surplus--
      count++
    }
    if (count > 0) onCut()
    return count
  }

  /** Whom it costs least first: idle ones, dials, those that come back, and of the leases the youngest. */
  #victims(): readonly Slot[] {
    const { slots } = this.#deps
    const { all } = slots
    const held = all.flatMap(slot => (isHeld(slot) ? [{ slot, lease: slot.lease }] : []))
    held.sort((one, other) => one.lease.ageMs - other.lease.ageMs)
    return [
      ...slots.idle,
      ...all.filter(({ state }) => state.kind === 'connecting').toReversed(),
      ...all.filter(({ state }) => state.kind === 'quarantined').toReversed(),
      ...held.map(({ slot }) => slot),
    ]
  }

  /** False where it has ended meanwhile, by the end of another. */
  #end(slot: Slot): boolean {
    if (slot.state.kind === 'closing') return false
    if (isHeld(slot)) slot.lease.kill('killed')
    else closeSlot(this.#deps.slots, slot, 'resize')
    return true
  }
}

function isHeld(slot: Slot): slot is Slot & { lease: SlotLease } {
  const { state, lease } = slot
  return lease !== null && (state.kind === 'leased' || state.kind === 'multiplexed')
}
