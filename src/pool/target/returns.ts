/**
 * How connections come back from their leases: closed, or quarantined until their I/O worker has looked at them, and idle then.
 *
 * The look takes microseconds where no dialog is run: a caller that may have such a connection waits for it, and none is
 * dialled. Where it takes longer after all, as in a thread that is busy, nobody counts on it any more.
 */
import { LIMITS } from '../../base/limits.ts'
import type { CheckName } from '../../channel/values.ts'
import { closeSlot } from './close-slot.ts'
import type { LiveTarget } from './live-target.ts'
import type { Refusal, ReleaseResult } from './release-result.ts'
import type { Slot } from './slot.ts'
import type { Slots } from './slots.ts'
import type { WaitQueue } from './wait-queue.ts'

export type ReturnsDeps = {
  readonly slots: Slots
  readonly queue: WaitQueue
  readonly live: Pick<LiveTarget, 'isCounted' | 'hasReleaseDialog'>
  /** Why a connection that is as good as new may serve nobody else. */
  readonly spent: (slot: Slot) => Refusal | null
  readonly now: () => number
  /** One is idle again. */
  readonly onBack: () => void
  /** One that somebody may have counted on does not come back, or takes its time. */
  readonly onMissed: () => void
}

export class Returns {
  readonly #deps: ReturnsDeps
  #timer: NodeJS.Timeout | null = null

  constructor(deps: ReturnsDeps) {
    this.#deps = deps
  }

  /** Those who wait and will have a connection that comes back. */
  get awaited(): number {
    const { slots, queue } = this.#deps
    const { waiters } = queue
    // Who takes only some connections may not want these.
    if (!slots.hasReturning || waiters.size === 0 || waiters.hasWishes) return 0
    let count = 0
    for (const tenant of waiters.tenants) count += Math.min(waiters.sizeOf(tenant), slots.returningTo(tenant))
    return count
  }

  /** Whether one comes back that this caller, as the last of its tenant, would have. */
  isFor(tenant: string, wish: object | null): boolean {
    const { slots, queue } = this.#deps
    const { waiters } = queue
    return wish === null && !waiters.hasWishes && slots.returningTo(tenant) > waiters.sizeOf(tenant)
  }

  /** Ends a lease: `refusal` says why the connection may not serve again; null leaves it to the I/O worker. */
  release(slot: Slot, refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult> {
    const { slots, queue, live, spent, now } = this.#deps
    if (slot.state.kind === 'multiplexed') closeSlot(slots, slot, refusal ?? 'policy')
    if (slot.state.kind !== 'leased')
      return Promise.resolve({ outcome: 'closed', reason: refusal ?? 'error' })
    const { connection, sinceMs } = slot.state
    const { flight } = slot
    const nowMs = now()
    queue.held(nowMs - sinceMs)
    // Where messages are counted, an even count speaks for the connection though a call was given up.
    slot.doubt = refusal === 'timed_out' && live.isCounted ? refusal : null
    const why = (slot.doubt === null ? refusal : null) ?? spent(slot)
    const call = flight.begin(why === 'killed' ? 'kill' : 'release', nowMs)
    slot.lease?.settle(call)
    if (why !== null) {
      flight.end(call, why, nowMs)
      closeSlot(slots, slot, why, graceful ? 'graceful' : 'at once')
      return Promise.resolve({ outcome: 'closed', reason: why })
    }
    const { promise, resolve } = Promise.withResolvers<ReleaseResult>()
    const returnsSinceMs = live.hasReleaseDialog ? null : nowMs
    slots.move(slot, { kind: 'quarantined', connection, tell: resolve, call, returnsSinceMs })
    connection.letGo()
    return promise
  }

  /** The I/O worker has looked. */
  checked(slot: Slot, found: CheckName): void {
    const { slots, spent, now, onBack, onMissed } = this.#deps
    if (slot.state.kind !== 'quarantined') return
    const { connection, tell, call } = slot.state
    const why = found === 'clean' ? spent(slot) : found === 'unanswered' ? (slot.doubt ?? found) : found
    if (why !== null) {
      closeSlot(slots, slot, why)
      return onMissed()
    }
    const nowMs = now()
    slot.flight.end(call, 'clean', nowMs)
    slots.move(slot, { kind: 'idle', connection, sinceMs: nowMs, provenMs: nowMs })
    // Who waits for it hears first: what was released is over.
    onBack()
    tell({ outcome: 'reused', reason: 'clean' })
  }

  /** To be called where somebody may count on one. */
  watch(): void {
    if (this.#timer !== null || this.awaited === 0) return
    this.#timer = setTimeout(() => this.#look(), LIMITS.returnMs).unref()
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #look(): void {
    const { slots, now, onMissed } = this.#deps
    this.#timer = null
    const lateMs = now() - LIMITS.returnMs
    for (const slot of slots.all) {
      const { state } = slot
      if (state.kind === 'quarantined' && state.returnsSinceMs !== null && state.returnsSinceMs <= lateMs)
        slots.move(slot, { ...state, returnsSinceMs: null })
    }
    onMissed()
  }
}
