/**
 * What an operator has told a target to do, and how far that is done.
 *
 *   active ──pause──► paused      callers wait, within their own time
 *          ──disable─► disabled   callers fail, those who wait too
 *          ──drain──► draining    as disabled, and every connection is closed when it comes back
 *   resume ends the first, enable the other two; close ends all.
 *
 * A reconnect begins a new generation: connections of the ones before serve nobody new.
 */
import { SockpoolError } from '../../base/errors.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'
import type { PoolSettings } from '../../config/target.ts'
import { closeSlot } from './close-slot.ts'
import type { Refusal } from './release-result.ts'
import type { Slot, SlotStateName } from './slot.ts'
import type { Slots } from './slots.ts'
import type { WaitQueue } from './wait-queue.ts'

export type TargetStateName = 'active' | 'paused' | 'disabled' | 'draining'

/** What a verb has done: connections that were closed, callers that were refused, and what is left. */
export type ControlResult = {
  readonly state: TargetStateName
  readonly closed: number
  readonly refused: number
  readonly leased: number
  readonly waiters: number
}

export type TargetControlDeps = {
  readonly slots: Slots
  readonly queue: WaitQueue
  /** The target's own, which `resize` changes. */
  readonly settings: { -readonly [Name in keyof PoolSettings]: PoolSettings[Name] }
  /** Callers may be served, or dialled for, that could not before. */
  readonly onOpen: () => void
}

/** The place of a connection that is in no list any more. */
const NOWHERE = -1

/** Somebody waits until what an operator asked for is done. */
type Watch = { readonly isDone: () => boolean; readonly wait: Wait<void> }

export class TargetControl {
  readonly #deps: TargetControlDeps
  readonly #watches = new Set<Watch>()
  #state: TargetStateName | 'closed' | 'removed' = 'active'
  #generation = 0

  constructor(deps: TargetControlDeps) {
    this.#deps = deps
  }

  /** A pool that closes drains, and a target that is no more. */
  get state(): TargetStateName {
    return this.#state === 'closed' || this.#state === 'removed' ? 'draining' : this.#state
  }

  /** Of the connections that are dialled now. */
  get generation(): number {
    return this.#generation
  }

  /** Whether callers are served and dialled for. */
  get isActive(): boolean {
    return this.#state === 'active'
  }

  /** It ends, with its pool or by itself. */
  get isClosed(): boolean {
    return this.#state === 'closed' || this.#state === 'removed'
  }

  /** Why no caller is let in, not even to wait; or null. */
  get refusal(): SockpoolError | null {
    switch (this.#state) {
      case 'active':
      case 'paused':
        return null
      case 'disabled':
        return new SockpoolError('TARGET_PAUSED', 'the target is disabled')
      case 'draining':
        return new SockpoolError('DRAINING', 'the target is draining')
      case 'closed':
        return new SockpoolError('DRAINING', 'the pool is closed')
      case 'removed':
        return new SockpoolError('TARGET_NOT_FOUND', 'no target of this name is configured any more')
      default:
        return this.#state satisfies never
    }
  }

  /** Why a connection may serve nobody new, whatever its holder did; or null. */
  retires({ generation, hasVanished, connection }: Slot): Refusal | null {
    if (generation < this.#generation) return 'reconnect'
    if (hasVanished) return 'dns'
    if (connection?.isRetiring) return 'drain'
    if (this.#state === 'draining') return 'drain'
    if (this.#state === 'closed') return 'policy'
    if (this.#state === 'removed') return 'revoked'
    const { slots } = this.#deps
    return slots.open > slots.max ? 'resize' : null
  }

  pause(): ControlResult {
    if (this.#state === 'active') this.#state = 'paused'
    this.#deps.slots.changed()
    return this.#result(0, 0)
  }

  resume(): ControlResult {
    return this.#activate('paused')
  }

  disable(): ControlResult {
    if (this.#state === 'active' || this.#state === 'paused') this.#state = 'disabled'
    return this.#result(0, this.#refuse())
  }

  enable(): ControlResult {
    return this.#activate('disabled', 'draining')
  }

  /** Begins; `whenIdle` tells when it is done. */
  drain(): ControlResult {
    if (this.#state !== 'closed' && this.#state !== 'removed') this.#state = 'draining'
    const refused = this.#refuse()
    return this.#result(this.#closeAll('drain', 'idle', 'connecting'), refused)
  }

  reconnect(): ControlResult {
    this.#generation++
    const closed = this.#closeAll('reconnect', 'idle', 'connecting')
    this.#deps.onOpen()
    return this.#result(closed, 0)
  }

  /** As `reconnect`, for a target that is another now: what is connected is at none of its places. How many are affected. */
  retireAll(): number {
    const { all } = this.#deps.slots
    for (const slot of all) slot.host = NOWHERE
    const isServing = ({ state, generation }: Slot): boolean =>
      generation === this.#generation && state.kind !== 'connecting' && state.kind !== 'closing'
    const count = all.filter(isServing).length
    this.reconnect()
    return count
  }

  /** Closes what lies idle in an I/O worker that is drained. How many were closed, and how many are out on lease there. */
  retireWorkers(): { readonly closed: number; readonly leased: number } {
    const { slots, onOpen } = this.#deps
    const idle = slots.idle.filter(({ connection }) => connection?.isRetiring)
    const isOut = ({ connection, state }: Slot): boolean =>
      connection?.isRetiring === true && (state.kind === 'leased' || state.kind === 'quarantined')
    const leased = slots.all.filter(isOut).length
    for (const slot of idle) closeSlot(slots, slot, 'drain')
    onOpen()
    return { closed: idle.length, leased }
  }

  /** Changes the pool's bounds. The surplus is closed where it is idle, and else when it comes back. */
  resize(changes: Partial<PoolSettings>): ControlResult {
    const { slots, settings, onOpen } = this.#deps
    const { min = settings.min, max = settings.max } = changes
    if (min > max) {
      const fault = { path: 'pool.min', message: `must not be above pool.max, which is ${max}` }
      throw new SockpoolError('INVALID_REQUEST', `${fault.path} ${fault.message}`, { errors: [fault] })
    }
    Object.assign(settings, changes)
    slots.resize(max)
    const closed = this.closeSurplus()
    onOpen()
    return this.#result(closed, 0)
  }

  /** Closes what lies idle beyond the maximum; how many. The others are closed when they come back. */
  closeSurplus(): number {
    const { slots } = this.#deps
    let closed = 0
    for (const slot of [...slots.idle]) {
      if (slots.open <= slots.max) break
      closeSlot(slots, slot, 'resize')
      closed++
    }
    return closed
  }

  /** Ends the connection of this id at once, and the lease on it; false where there is none. */
  kill(id: string): boolean {
    const { slots } = this.#deps
    const slot = slots.all.find(({ connection }) => connection?.id === id)
    if (slot === undefined || slot.state.kind === 'closing') return false
    if (slot.state.kind === 'leased' || slot.state.kind === 'multiplexed') slot.lease?.kill('killed')
    else closeSlot(slots, slot, 'killed')
    return true
  }

  /** Ends what a pool has, or a target that is no more: callers fail, and what nobody holds is closed. */
  close(as: 'closed' | 'removed'): void {
    this.#state = as
    this.#refuse()
    this.#closeAll(as === 'closed' ? 'killed' : 'revoked', 'idle', 'connecting', 'quarantined')
  }

  /** When the last lease is back. Errors: WAIT_TIMEOUT, ABORTED. */
  whenUnused(options: WaitOptions): Promise<ControlResult> {
    const { slots } = this.#deps
    return this.#when('the leases of the target', options, () => slots.out === 0)
  }

  /** When no connection is left. Errors: as `whenUnused`. */
  whenIdle(options: WaitOptions): Promise<ControlResult> {
    const { slots } = this.#deps
    return this.#when('the connections of the target', options, () => slots.size === 0)
  }

  /** When no connection from before the last reconnect is left. Errors: as `whenUnused`. */
  whenRenewed(options: WaitOptions): Promise<ControlResult> {
    const isOld = ({ generation }: Slot): boolean => generation < this.#generation
    const isDone = (): boolean => !this.#deps.slots.all.some(isOld)
    return this.#when('the connections from before the reconnect', options, isDone)
  }

  /** A slot has changed: somebody may wait for that. */
  changed(): void {
    for (const watch of this.#watches) if (watch.isDone()) watch.wait.resolve()
  }

  async #when(what: string, options: WaitOptions, isDone: () => boolean): Promise<ControlResult> {
    if (!isDone()) {
      const wait = new Wait<void>(what, 'WAIT_TIMEOUT', options, () => {})
      const watch = { isDone, wait }
      this.#watches.add(watch)
      try {
        await wait.promise
      } finally {
        this.#watches.delete(watch)
      }
    }
    return this.#result(0, 0)
  }

  #activate(...from: readonly TargetStateName[]): ControlResult {
    if (from.some(state => state === this.#state)) {
      this.#state = 'active'
      this.#deps.onOpen()
    }
    return this.#result(0, 0)
  }

  /** Fails all who wait; how many. */
  #refuse(): number {
    const { queue } = this.#deps
    const count = queue.waiters.size
    const error = (): SockpoolError => this.refusal ?? new SockpoolError('DRAINING', 'the target is draining')
    queue.close(error)
    return count
  }

  #closeAll(reason: string, ...states: readonly SlotStateName[]): number {
    const { slots } = this.#deps
    const chosen = slots.all.filter(({ state }) => states.includes(state.kind))
    for (const slot of chosen) closeSlot(slots, slot, reason)
    return chosen.length
  }

  #result(closed: number, refused: number): ControlResult {
    const { slots, queue } = this.#deps
    return { state: this.state, closed, refused, leased: slots.out, waiters: queue.waiters.size }
  }
}
