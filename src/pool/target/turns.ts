/**
 * Who may be passed over. A connection stays with the tenant that it was opened for, so one that comes back is of no use
 * to a caller of another tenant, unless it is closed and another one is dialled in its place. Closing it for each such
 * caller would be fair and would reuse nothing where two tenants always wait; lending it on to its own tenant every time
 * would have the other wait for ever.
 *
 * So the foremost caller for whom nothing is on its way lets others pass only while its own tenant has a fair part of
 * the connections, of which the next one is for it; and not for longer than one round, in which each connection of
 * the target that is out comes back once.
 */
import type { QueueEntry } from '../../base/queue.ts'
import type { Slots } from './slots.ts'
import type { Waiter, Waiters } from './waiters.ts'

/**
 * Whether a connection that lies idle for tenant `holder` may go to a caller behind the foremost: the first in the queue
 * for whom nothing is on its way, so that all ahead of it are provided for.
 */
export function mayPass(
  slots: Slots,
  waiters: Waiters,
  foremost: QueueEntry<Waiter>,
  holder: string,
): boolean {
  const { value: waiter } = foremost
  const out = slots.outOf(waiter.tenant)
  const coming = aheadOf(waiters, foremost)
  // One connection less for the holder and one more for this tenant would be more even.
  if (slots.outOf(holder) + slots.idleOf(holder) - (out + coming) >= 2) return false
  if (coming === 0) return out > 0 && waiter.passedBy < slots.out
  // A dial takes its own time: those who come back meanwhile make no round.
  waiter.passedBy = 0
  return true
}

/** Callers of the same tenant ahead of this one. */
function aheadOf(waiters: Waiters, last: QueueEntry<Waiter>): number {
  let count = 0
  for (const waiter of waiters) {
    if (waiter === last) break
    if (waiter.value.tenant === last.value.tenant) count++
  }
  return count
}
