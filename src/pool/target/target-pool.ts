/**
 * The connections of one target and who may have them next.
 *
 * `#dispatch` is the only code that moves connections to waiters: idle ones last in, first out, waiters
 * first in, first out; for waiters that no idle connection and no dial under way will serve it dials. Whoever waits for
 * a connection while others' come back is served in turn (see `mayPass`).
 */
import type { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { aborted } from '../../base/wait.ts'
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Dial } from '../../threads/protocol.ts'
import type { BreakerName } from './breaker.ts'
import { closeSlot, closeSurplusDials } from './close-slot.ts'
import type { HostStats, Hosts } from './hosts.ts'
import { IdleConnections } from './idle-connections.ts'
import { LiveTarget } from './live-target.ts'
import { NameWatch } from './name-watch.ts'
import { PermitWaits } from './permit-waits.ts'
import type { Permits } from './permits.ts'
import { PermittedSlots } from './permitted-slots.ts'
import { Probes } from './probes.ts'
import type { Refusal, ReleaseResult } from './release-result.ts'
import { Returns } from './returns.ts'
import type { Slot } from './slot.ts'
import { SlotDials } from './slot-dials.ts'
import { type SlotCounts, type SlotHistory, Slots } from './slots.ts'
import { TargetControl } from './target-control.ts'
import type { LeaseWait, TargetPoolDeps } from './target-pool-deps.ts'
import type { TargetTally } from './target-tally.ts'
import { WaitQueue } from './wait-queue.ts'
import type { Asking, Begin, Waiters } from './waiters.ts'
import { WarmDials } from './warm-dials.ts'

export class TargetPool {
  readonly name: string
  readonly origin: TargetPoolDeps['origin']
  /** What an operator says. */
  readonly control: TargetControl
  /** Null where nobody counts. */
  readonly tally: TargetTally | null
  readonly #deps: TargetPoolDeps
  readonly #slots: Slots
  readonly #waiters: Waiters
  readonly #queue: WaitQueue
  readonly #dials: SlotDials
  readonly #live: LiveTarget
  readonly #probes: Probes
  readonly #idle: IdleConnections
  readonly #names: NameWatch
  readonly #warmth: WarmDials
  readonly #returns: Returns
  /** Null where nobody but the target bounds its pool. */
  readonly #permits: Permits | null
  readonly #permitWaits: PermitWaits
  #isOver = false

  constructor(deps: TargetPoolDeps) {
    this.name = deps.name
    this.origin = deps.origin
    this.tally = deps.tally ?? null
    this.#deps = deps
    const slots = new Slots(deps.target.pool.max, deps.tidings, this.tally)
    this.#slots = slots
    // Where nobody else would take what was dialled for a caller that has left, the dial ends with its wait.
    const onLeft = (): void => {
      if (deps.origin === 'described') closeSurplusDials(slots, this.#waiters.size)
    }
    this.#queue = new WaitQueue({ ...deps, slots, onLeft, isActive: () => this.control.isActive })
    const onDue = (): void => this.#dispatch()
    this.#live = new LiveTarget({ ...deps, leased: () => slots.byHost(['leased', 'multiplexed']), onDue })
    const { settings } = this.#live
    this.control = new TargetControl({ slots, queue: this.#queue, settings, onOpen: onDue })
    this.#waiters = this.#queue.waiters
    this.#returns = new Returns({
      ...deps,
      slots,
      queue: this.#queue,
      live: this.#live,
      spent: slot => this.#spent(slot),
      onBack: () => {
        this.control.changed()
        this.#dispatch()
      },
      onMissed: onDue,
    })
    const target = (): Target => this.target
    const retires = (slot: Slot): Refusal | null => this.control.retires(slot)
    this.#probes = new Probes({ ...deps, target, slots, retires, onDone: onDue })
    const hosts = (): Hosts => this.#live.dials.hosts
    this.#idle = new IdleConnections({ ...deps, slots, hosts, probes: this.#probes, target })
    this.#names = new NameWatch({ ...deps, slots, places: () => this.#live.watchedPlaces })
    this.#dials = this.#makeDials()
    const isShort = (): boolean => this.isOpen && slots.open < settings.min
    const dial = (): void => this.#dials.begin()
    this.#warmth = new WarmDials({ isShort, mayDial: () => this.#mayDial, dial, random: this.#live.random })
    const unprovided = (): number => this.#unprovided
    this.#permitWaits = new PermitWaits({ queue: this.#queue, unprovided })
    this.#permits = this.#askPermits(unprovided)
    slots.heed(this.#permits)
  }

  get target(): Target {
    return this.#live.target
  }

  /** Whose pool it is; empty for a configured target, which all tenants share. */
  get tenant(): string {
    return this.#live.tenant
  }

  get waiters(): number {
    return this.#waiters.size
  }

  get counts(): SlotCounts {
    return this.#slots.counts
  }

  get size(): number {
    return this.#slots.size
  }

  get connections(): readonly Slot[] {
    return this.#slots.all
  }

  get history(): SlotHistory {
    return this.#slots.history
  }

  /** How its dials have gone. */
  get health(): { readonly breaker: BreakerName; readonly hosts: HostStats[] } {
    const { breaker, hosts } = this.#live.dials
    return {
      breaker,
      hosts: hosts.stats(this.#slots.byHost(['idle', 'leased', 'multiplexed', 'quarantined'])),
    }
  }

  /**
   * Whether callers are served and dialled for at this instant: an operator may have it otherwise, or permits not be relied
   * on. By the clock, as timers are late where the process has stood still.
   */
  get isOpen(): boolean {
    return this.#permits === null ? this.control.isActive : this.#isOpenAt(this.#deps.now())
  }

  /** Connections beyond the maximum, which has become less: so many are closed as they come back. */
  get surplus(): number {
    return Math.max(0, this.#slots.open - this.#slots.max)
  }

  /** As WaitQueue.expectedWaitMs. */
  get expectedWaitMs(): number | null {
    return this.#queue.expectedWaitMs
  }

  /** As `lease`, where a connection is idle that the caller may have; null where there is none. Errors: as `lease`. */
  tryLease<Held>({ tenant, wish = null }: Asking, begin: Begin<Held>): Held | null {
    if (this.control.refusal !== null) throw this.control.refusal
    const askedMs = this.#deps.now()
    if (this.#waiters.size > 0 || !this.#isOpenAt(askedMs)) return null
    const idle = this.#idle.choose({ tenant, wish })
    return idle && this.#hand(idle.slot, idle.connection, { tenant, askedMs }, begin)
  }

  /**
   * A lease, begun by `begin` in the very moment its connection is handed out: on an idle one, a new one, or the next
   * that comes free within `waitMs`.
   *
   * Errors: POOL_EXHAUSTED (`waitMs` 0 and none free; where nothing but a permit is missing, a moment later), WAIT_TIMEOUT,
   * QUEUE_FULL, BREAKER_OPEN, ABORTED, DRAINING, those of `begin`, and those of the dial: CONNECT_*, DNS_FAILED, TLS_FAILED,
   * TARGET_DENIED, DIALOG_FAILED, WORKER_LOST.
   */
  async lease<Held>(asking: LeaseWait, begin: Begin<Held>): Promise<Held> {
    const { tenant, wish = null, waitMs, signal, allowedMs } = asking
    if (signal?.aborted) throw aborted('the wait for a connection', signal)
    const idle = this.tryLease({ tenant, wish }, begin)
    if (idle !== null) return idle
    const askedMs = this.#deps.now()
    const { isActive } = this.control
    const needsDial = isActive && !this.#returns.isFor(tenant, wish)
    const refusal = needsDial ? this.#live.dials.refusal : null
    if (refusal !== null) throw refusal
    if (!isActive && waitMs === 0) throw this.#queue.newcomer('TARGET_PAUSED', 'the target is paused')
    const lacksPermit = waitMs === 0 && this.#lacksPermit(askedMs)
    if (this.#slots.isFull && waitMs === 0 && !lacksPermit && this.#idle.chooseDue({ tenant, wish }) === null)
      throw this.#queue.newcomer('POOL_EXHAUSTED', 'no connection is free')
    // Who will not wait for others still waits for its own dial, and for the turn of that.
    const timeoutMs = waitMs === 0 ? this.target.pool.connectTimeoutMs + LIMITS.dialBackoffLastMs : waitMs
    const hand: Begin<Held> = (slot, connection) => this.#hand(slot, connection, { tenant, askedMs }, begin)
    const served = this.#queue.add(asking, { signal, timeoutMs, allowedMs }, hand)
    const entry = lacksPermit ? this.#waiters.lastOf(tenant) : null
    if (entry !== null) this.#permitWaits.watch(entry, served)
    this.#dispatch()
    return await served
  }

  /** Has a connection that has just been leased serve many: it is no tenant's, and is never lent again. */
  share(slot: Slot, connection: IoConnection): void {
    this.#slots.move(slot, { kind: 'multiplexed', connection })
    slot.tenant = null
  }

  /** Ends a lease: `refusal` says why the connection may not serve again; null leaves it to the I/O worker. */
  release(slot: Slot, refusal: Refusal | null, graceful = false): Promise<ReleaseResult> {
    return this.#returns.release(slot, refusal, graceful)
  }

  /** To be called now and then: closes what is too old or idle too long, and refills the warm minimum. */
  sweep(): void {
    this.#idle.sweep()
    this.#names.sweep()
    this.warm()
  }

  /** Dials up to the warm minimum, one after another, unless the target has just failed. */
  warm(): void {
    this.#warmth.fill()
  }

  /**
   * Has it be what the configuration says now, the pool's bounds too. Where nothing that shapes a connection has changed, all
   * stay; else callers get new ones. How many connections serve nobody new from now on.
   */
  replace(target: Target, dial: Dial): number {
    const which = this.#live.replace(target, dial)
    const retired = which === 'same connections' ? 0 : this.control.retireAll()
    return retired + this.control.resize(target.pool).closed
  }

  /** Fails those who wait for whom `refusal` has an error. How many. */
  refuse(refusal: (tenant: string) => SockpoolError | null): number {
    return this.#queue.refuse(refusal)
  }

  /**
   * No new leases; waiters fail, idle connections close; resolves when the last slot is free. The leases of a target that is
   * removed are to be ended by whoever knows them.
   */
  async close(as: 'closed' | 'removed' = 'closed'): Promise<void> {
    this.#live.dials.stop()
    this.#warmth.stop()
    this.#returns.stop()
    this.control.close(as)
    await this.control.whenIdle({})
    if (this.#isOver) return
    this.#isOver = true
    this.#permits?.end()
  }

  #makeDials(): SlotDials {
    return new SlotDials({
      ...this.#deps,
      ...{ slots: this.#slots, queue: this.#queue, live: this.#live, control: this.control },
      ...{ returns: this.#returns, idle: this.#idle },
      probing: () => this.#probes.underWay,
      isOpen: () => this.isOpen,
      onDone: () => this.#dispatch(),
    })
  }

  #askPermits(unprovided: () => number): Permits | null {
    const { permitsOf, onRefreshed } = this.#deps
    if (permitsOf === undefined) return null
    const taker = new PermittedSlots({
      ...{ slots: this.#slots, live: this.#live, control: this.control, unprovided },
      onRefreshed: () => {
        this.#dispatch()
        this.warm()
        onRefreshed?.()
      },
      onCut: () => this.#dispatch(),
    })
    return permitsOf(this.name, taker)
  }

  #dispatch(): void {
    if (this.#waiters.size === 0 || !this.isOpen) return
    this.#idle.lend(this.#queue, () => this.#unprovided)
    while (this.#unprovided > 0 && this.#mayDial) this.#dials.begin()
    this.#failUnprovided()
    if (this.#unprovided > 0 && !this.#slots.isFullOwn) this.#live.dials.await()
    this.#returns.watch()
    this.#slots.changed()
  }

  #isOpenAt(nowMs: number): boolean {
    return this.control.isActive && (this.#permits === null || this.#permits.isCurrent(nowMs))
  }

  /** Whether a caller could have a connection but for permits, which may come. */
  #lacksPermit(nowMs: number): boolean {
    if (this.#permits === null) return false
    return !this.#permits.isCurrent(nowMs) || (this.#slots.isFull && !this.#slots.isFullOwn)
  }

  /** Waiters for whom no dial, no probe and no connection is under way. */
  get #unprovided(): number {
    return this.#waiters.size - this.#slots.connecting - this.#probes.underWay - this.#returns.awaited
  }

  get #mayDial(): boolean {
    if (this.#slots.isFullOwn) return false
    // Before permits are looked at: who lacks one is to hear, too, when a target that has failed may be dialled again.
    return this.#live.dials.mayBegin(this.#slots.connecting) && !this.#slots.isFull
  }

  /** Leases an idle connection and begins the lease; one that cannot begin leaves nothing behind. */
  #hand<Held>(
    slot: Slot,
    connection: IoConnection,
    { tenant, askedMs }: { readonly tenant: string; readonly askedMs: number },
    begin: Begin<Held>,
  ): Held {
    const now = this.#deps.now()
    this.#slots.move(slot, { kind: 'leased', connection, sinceMs: now })
    slot.tenant = tenant
    slot.uses++
    // The wait is its caller's, who may have waited while others had the connection.
    slot.flight.add('lease', 'ok', now, now - askedMs)
    try {
      return begin(slot, connection)
    } catch (error) {
      closeSlot(this.#slots, slot, 'error')
      throw error
    }
  }

  /**
   * Of a target that is left alone: whoever waits for what is under way still may be answered, the others would not. A
   * connection whose release check takes its time is under way, though nobody counts on it any more.
   */
  #failUnprovided(): void {
    while (this.#unprovided > this.counts.quarantined - this.#returns.awaited) {
      const refusal = this.#live.dials.lastingRefusal
      if (refusal === null) return
      this.#waiters.failLast(refusal)
    }
  }

  /** Why a connection that is as good as new may serve nobody else. */
  #spent(slot: Slot): Refusal | null {
    return this.control.retires(slot) ?? slot.spent(this.#deps.now(), this.target.pool.maxUses)
  }
}
