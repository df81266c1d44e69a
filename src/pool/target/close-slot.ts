/** Closes the connections of slots, and tells whoever has just given one back. */
import { type EndName, isPeerEnd } from '../../channel/values.ts'
import type { ReleaseReason } from './release-result.ts'
import type { Slot } from './slot.ts'
import type { Slots } from './slots.ts'

/** `way`: graceful still sends what was written. A slot that closes already goes on as it does. */
export function closeSlot(
  slots: Slots,
  slot: Slot,
  reason: string,
  way: 'at once' | 'graceful' = 'at once',
): void {
  const { state } = slot
  if (state.kind === 'closing') return
  const lingers = way === 'graceful'
  if (state.kind === 'quarantined') slot.flight.end(state.call, reason)
  else if (state.kind === 'idle') slot.flight.add('close', reason)
  slots.move(slot, { kind: 'closing', connection: slot.connection, reason, lingers })
  if (state.kind === 'quarantined')
    state.tell({
      outcome: 'closed',
      reason: reason === 'killed' ? 'discarded' : (reason as ReleaseReason),
    })
  if (state.kind === 'connecting') state.controller.abort()
  else if (lingers) state.connection.leaveClosing()
  else state.connection.abort()
}

/** The socket of a slot is gone, by whoever's doing: tells who counted on it, and whether somebody held it. */
export function loseSlot(slots: Slots, slot: Slot, how: EndName): boolean {
  const { state, connection } = slot
  const reason = how === 'poisoned' ? 'poisoned' : isPeerEnd(how) ? 'half_closed' : 'error'
  if (state.kind !== 'closing') slots.move(slot, { kind: 'closing', connection, reason, lingers: false })
  if (state.kind === 'quarantined')
    state.tell({ outcome: 'closed', reason: isPeerEnd(how) ? 'half_closed' : 'error' })
  if (state.kind !== 'leased' && state.kind !== 'multiplexed') return false
  slot.lease?.connectionLost(how)
  return true
}

/** Closes the latest dials beyond so many. */
export function closeSurplusDials(slots: Slots, wanted: number): void {
  let surplus = slots.connecting - wanted
  for (const slot of slots.all.toReversed())
    if (slot.state.kind === 'connecting' && surplus-- > 0) closeSlot(slots, slot, 'unwanted')
}
