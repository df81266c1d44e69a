/**
 * The connections of one target and who may have them next.
 *
 * `#dispatch` is the only code that moves connections to waiters: idle ones last in, first out, waiters
 * first in, first out; for waiters that no idle connection and no dial under way will serve it dials. Whoever waits for
 * a connection while others' come back is served in turn (see `mayPass`).
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { QueueEntry } from '../../base/queue.ts'
import { aborted } from '../../base/wait.ts'
import { type CheckName, type EndName, isPeerEnd } from '../../channel/values.ts'
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Dial } from '../../threads/protocol.ts'
import type { BreakerName } from './breaker.ts'
import { closeSlot, closeSurplusDials } from './close-slot.ts'
import { type DialAttempt, goneAtOnce } from './dials.ts'
import type { HostStats, Hosts } from './hosts.ts'
import { IdleConnections } from './idle-connections.ts'
import { LiveTarget } from './live-target.ts'
import { Probes } from './probes.ts'
import type { Refusal, ReleaseResult } from './release-result.ts'
import { Slot } from './slot.ts'
import { type SlotCounts, Slots } from './slots.ts'
import { TargetControl } from './target-control.ts'
import type { LeaseWait, TargetPoolDeps } from './target-pool-deps.ts'
import { WaitQueue } from './wait-queue.ts'
import type { Begin, Waiter, Waiters } from './waiters.ts'

export class TargetPool {
  readonly name: string
  readonly origin: TargetPoolDeps['origin']
  /** What an operator says. */
  readonly control: TargetControl
  readonly #deps: TargetPoolDeps
  readonly #slots: Slots
  readonly #waiters: Waiters
  readonly #queue: WaitQueue
  readonly #live: LiveTarget
  readonly #probes: Probes
  readonly #idle: IdleConnections
  #opened = 0
  #lastUsedMs: number

  constructor(deps: TargetPoolDeps) {
    this.name = deps.name
    this.origin = deps.origin
    this.#deps = deps
    this.#slots = new Slots(deps.target.pool.max)
    const isActive = (): boolean => this.control.isActive
    // Where nobody else would take what was dialled for a caller that has left, the dial ends with its wait.
    const onLeft = (): void => {
      if (deps.origin === 'described') closeSurplusDials(this.#slots, this.#waiters.size)
    }
    this.#queue = new WaitQueue({ ...deps, slots: this.#slots, onLeft, isActive })
    const slots = this.#slots
    const onDue = (): void => this.#dispatch()
    this.#live = new LiveTarget({ ...deps, leased: () => slots.byHost(['leased']), onDue })
    const { settings } = this.#live
    this.control = new TargetControl({ slots, queue: this.#queue, settings, onOpen: onDue })
    this.#waiters = this.#queue.waiters
    const target = (): Target => this.target
    const retires = (slot: Slot): Refusal | null => this.control.retires(slot)
    this.#probes = new Probes({ ...deps, target, slots, retires, onDone: onDue })
    const hosts = (): Hosts => this.#live.dials.hosts
    this.#idle = new IdleConnections({ ...deps, slots, hosts, probes: this.#probes, target })
    this.#lastUsedMs = deps.now()
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

  /** Connections opened so far, and closed, by reason. */
  get history(): { readonly opened: number; readonly closed: Readonly<Record<string, number>> } {
    return { opened: this.#opened, closed: this.#slots.closedFor }
  }

  get breaker(): BreakerName {
    return this.#live.dials.breaker
  }

  get hosts(): HostStats[] {
    return this.#live.dials.hosts.stats(this.#slots.byHost(['idle', 'leased', 'quarantined']))
  }

  /** As WaitQueue.expectedWaitMs. */
  get expectedWaitMs(): number | null {
    return this.#queue.expectedWaitMs
  }

  get lastUsedMs(): number {
    return this.#lastUsedMs
  }

  /**
   * A lease, begun by `begin` in the very moment its connection is handed out: on an idle one, a new one, or the next
   * that comes free within `waitMs`.
   *
   * Errors: POOL_EXHAUSTED (`waitMs` 0 and none free), WAIT_TIMEOUT, QUEUE_FULL, BREAKER_OPEN, ABORTED, DRAINING, those of
   * `begin`, and those of the dial: CONNECT_*, DNS_FAILED, TLS_FAILED, TARGET_DENIED, DIALOG_FAILED, WORKER_LOST.
   */
  async lease<Held>(
    { tenant, weight, waitMs, signal, allowedMs }: LeaseWait,
    begin: Begin<Held>,
  ): Promise<Held> {
    if (signal?.aborted) throw aborted('the wait for a connection', signal)
    if (this.control.refusal !== null) throw this.control.refusal
    this.#lastUsedMs = this.#deps.now()
    const { isActive } = this.control
    const idle = isActive && this.#waiters.size === 0 ? this.#idle.choose(tenant) : null
    if (idle) return this.#hand(idle.slot, idle.connection, tenant, begin)
    const refusal = isActive ? this.#live.dials.refusal : null
    if (refusal !== null) throw refusal
    if (!isActive && waitMs === 0) throw this.#queue.newcomer('TARGET_PAUSED', 'the target is paused')
    if (this.#slots.isFull && waitMs === 0 && this.#idle.chooseDue(tenant) === null)
      throw this.#queue.newcomer('POOL_EXHAUSTED', 'no connection is free')
    // Who will not wait for others still waits for its own dial, and for the turn of that.
    const timeoutMs = waitMs === 0 ? this.target.pool.connectTimeoutMs + LIMITS.dialBackoffLastMs : waitMs
    const hand: Begin<Held> = (slot, connection) => this.#hand(slot, connection, tenant, begin)
    const served = this.#queue.add({ tenant, weight }, { signal, timeoutMs, allowedMs }, hand)
    this.#dispatch()
    return await served
  }

  /** Ends a lease: `refusal` says why the connection may not serve again; null leaves it to the I/O worker. */
  async release(slot: Slot, refusal: Refusal | null, graceful = false): Promise<ReleaseResult> {
    if (slot.state.kind !== 'leased') return { outcome: 'closed', reason: refusal ?? 'error' }
    const { connection, sinceMs } = slot.state
    this.#queue.held(this.#deps.now() - sinceMs)
    const why = refusal ?? this.#spent(slot)
    if (why !== null) {
      closeSlot(this.#slots, slot, why, graceful ? 'graceful' : 'at once')
      return { outcome: 'closed', reason: why }
    }
    const { promise, resolve } = Promise.withResolvers<ReleaseResult>()
    this.#slots.move(slot, { kind: 'quarantined', connection, tell: resolve })
    connection.letGo()
    return await promise
  }

  /** To be called now and then: closes what is too old or idle too long, and refills the warm minimum. */
  sweep(): void {
    this.#idle.sweep()
    this.warm()
  }

  /** Dials up to the warm minimum, unless the target has just failed. */
  warm(): void {
    while (this.control.isActive && this.#slots.open < this.target.pool.min && this.#mayDial) this.#dial()
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
    this.control.close(as)
    await this.control.whenIdle({})
  }

  #dispatch(): void {
    if (!this.control.isActive) return
    this.#lendIdle()
    while (this.#unprovided > 0 && this.#mayDial) this.#dial()
    if (this.#unprovided > 0 && !this.#slots.isFull) this.#live.dials.await()
  }

  /** Waiters for whom no dial and no probe is under way. */
  get #unprovided(): number {
    return this.#waiters.size - this.#slots.connecting - this.#probes.underWay
  }

  get #mayDial(): boolean {
    return !this.#slots.isFull && this.#live.dials.mayBegin(this.#slots.connecting)
  }

  /** Whoever comes first has a connection of its own tenant, or the next new one, or has room made for it. */
  #lendIdle(): void {
    let provided = 0
    let foremost: QueueEntry<Waiter> | null = null
    for (const waiter of this.#waiters) {
      if (this.#slots.idle.length === 0) return
      const idle = this.#idle.choose(waiter.value.tenant)
      if (idle !== null) {
        if (foremost !== null) foremost.value.passedBy++
        this.#queue.serve(waiter, idle.slot, idle.connection)
      } else if (this.#unprovided > 0 && this.#idle.probe(waiter.value.tenant)) {
        provided++
      } else if (foremost === null) {
        if (provided < this.#slots.rooms || this.#idle.makeRoom(this.#waiters, waiter)) provided++
        else foremost = waiter
      }
    }
  }

  /** Leases an idle connection and begins the lease; one that cannot begin leaves nothing behind. */
  #hand<Held>(slot: Slot, connection: IoConnection, tenant: string, begin: Begin<Held>): Held {
    this.#slots.move(slot, { kind: 'leased', connection, sinceMs: this.#deps.now() })
    slot.tenant = tenant
    slot.uses++
    try {
      return begin(slot, connection)
    } catch (error) {
      this.#close(slot, 'error')
      throw error
    }
  }

  #dial(): void {
    const { now, random, onFault } = this.#deps
    const controller = new AbortController()
    // Up to a tenth earlier at random, so that a pool never renews all at once.
    const diesMs = now() + this.target.pool.maxLifetimeMs * (1 - random() / 10)
    const slot = new Slot(controller, now(), diesMs)
    slot.generation = this.control.generation
    const attempt = this.#live.dials.begin()
    this.#slots.add(slot)
    attempt.dials
      .open(attempt, controller.signal)
      .then(
        connection => this.#connected(slot, attempt, connection),
        error => this.#failed(slot, attempt, SockpoolError.from(error, 'CONNECT_FAILED')),
      )
      .catch(onFault)
  }

  #connected(slot: Slot, attempt: DialAttempt, connection: IoConnection): void {
    // A target that hangs up at once is a failed dial, or its waiters would have it dialled over and over.
    const { gone } = connection
    if (gone !== null) return this.#failed(slot, attempt, goneAtOnce(gone))
    this.#opened++
    attempt.dials.succeeded(attempt)
    this.#idle.closeEjected()
    slot.host = attempt.host
    connection.listen({
      onChecked: found => this.#checked(slot, found),
      onClosed: how => this.#gone(slot, how),
    })
    // It was given up while it was dialled.
    if (slot.state.kind !== 'connecting') {
      connection.abort()
      return
    }
    const now = this.#deps.now()
    this.#slots.move(slot, { kind: 'idle', connection, sinceMs: now, provenMs: now })
    // Not as one that lay idle: a peer may have said its piece and ended, for whoever awaits the connection to hear.
    const { first } = this.#waiters
    if (first !== null && this.control.isActive) this.#queue.serve(first, slot, connection)
    else {
      const why = this.origin === 'described' ? 'unwanted' : this.control.retires(slot)
      if (why !== null) this.#close(slot, why)
    }
    this.#dispatch()
  }

  #failed(slot: Slot, attempt: DialAttempt, error: SockpoolError): void {
    const isWanted = slot.state.kind === 'connecting'
    if (isWanted)
      this.#slots.move(slot, { kind: 'closing', connection: null, reason: 'failed', lingers: false })
    this.#free(slot)
    attempt.dials.failed(attempt, error.code)
    this.#idle.closeEjected()
    if (isWanted && error.code !== 'ABORTED') this.#waiters.failFirst(error)
    // Each dial under way still answers somebody; the others would wait for nothing.
    for (let { refusal } = this.#live.dials; refusal !== null; { refusal } = this.#live.dials)
      if (this.#waiters.size <= this.#slots.connecting || !this.#waiters.failLast(refusal)) break
    this.#dispatch()
  }

  #checked(slot: Slot, found: CheckName): void {
    if (slot.state.kind !== 'quarantined') return
    const { connection, tell } = slot.state
    const now = this.#deps.now()
    const why = found === 'clean' ? this.#spent(slot) : found
    if (why !== null) return this.#close(slot, why)
    this.#slots.move(slot, { kind: 'idle', connection, sinceMs: now, provenMs: now })
    tell({ outcome: 'reused', reason: 'clean' })
    this.control.changed()
    this.#dispatch()
  }

  /** The socket is gone, by whoever's doing. */
  #gone(slot: Slot, how: EndName): void {
    const { state } = slot
    const reason = how === 'poisoned' ? how : 'error'
    if (state.kind !== 'closing')
      this.#slots.move(slot, { kind: 'closing', connection: slot.connection, reason, lingers: false })
    if (state.kind === 'quarantined')
      state.tell({ outcome: 'closed', reason: isPeerEnd(how) ? 'half_closed' : 'error' })
    if (state.kind === 'leased') {
      slot.lease?.connectionLost(how)
      this.#deps.onLost(how)
    }
    this.#free(slot)
    this.#dispatch()
  }

  /** Why a connection that is as good as new may serve nobody else. */
  #spent(slot: Slot): Refusal | null {
    return this.control.retires(slot) ?? slot.spent(this.#deps.now(), this.target.pool.maxUses)
  }

  #close(slot: Slot, reason: string): void {
    closeSlot(this.#slots, slot, reason)
  }

  #free(slot: Slot): void {
    this.#slots.free(slot)
    this.control.changed()
  }
}
