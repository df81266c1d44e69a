/**
 * The connections of one target and who may have them next.
 *
 * `#dispatch` is the only code that moves connections to waiters: idle ones last in, first out, waiters
 * first in, first out; for waiters that no idle connection and no dial under way will serve it dials.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { EndName, VerdictName } from '../../channel/channel.ts'
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import { DialBackoff } from './dial-backoff.ts'
import { PooledConnection } from './pooled-connection.ts'
import { type SlotCounts, Slots } from './slots.ts'
import type { LeaseWait, TargetPoolParts } from './target-pool-parts.ts'
import type { ReleaseReason, ReleaseVerdict } from './verdict.ts'
import { Waiters } from './waiters.ts'

export class TargetPool {
  readonly name: string
  readonly target: Target
  readonly #parts: TargetPoolParts
  readonly #slots: Slots
  readonly #waiters: Waiters
  readonly #backoff: DialBackoff
  #isClosed = false
  #onEmpty: (() => void) | null = null
  #opened = 0
  #lastUsedMs: number

  constructor(parts: TargetPoolParts) {
    this.name = parts.name
    this.target = parts.target
    this.#parts = parts
    this.#slots = new Slots(parts.target.pool.max)
    this.#waiters = new Waiters(parts.crowd)
    this.#backoff = new DialBackoff(parts.now, parts.random)
    this.#lastUsedMs = parts.now()
  }

  /** Whose pool it is; empty for a configured target, which all tenants share. */
  get tenant(): string {
    return this.#parts.dial.tenant
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

  get connections(): readonly PooledConnection[] {
    return this.#slots.all
  }

  /** Connections opened so far, and closed, by reason. */
  get history(): { readonly opened: number; readonly closed: Readonly<Record<string, number>> } {
    return { opened: this.#opened, closed: this.#slots.closedFor }
  }

  get lastUsedMs(): number {
    return this.#lastUsedMs
  }

  /**
   * A connection, leased: an idle one, a new one, or the next that comes free within `waitMs`.
   *
   * Errors: POOL_EXHAUSTED (`waitMs` 0 and none free), WAIT_TIMEOUT, QUEUE_FULL, ABORTED, DRAINING, and those of
   * the dial: CONNECT_*, DNS_FAILED, TLS_FAILED, TARGET_DENIED, DIALOG_FAILED, WORKER_LOST.
   */
  async lease({ tenant, waitMs, signal }: LeaseWait): Promise<PooledConnection> {
    if (this.#isClosed) throw new SockpoolError('DRAINING', 'the pool is closed')
    this.#lastUsedMs = this.#parts.now()
    const idle = this.#waiters.size === 0 ? this.#takeIdle(tenant) : null
    if (idle) return idle
    if (this.#slots.isFull && waitMs === 0)
      throw new SockpoolError('POOL_EXHAUSTED', `no connection is free (${this.#describe()})`)
    const { crowd } = this.#parts
    if (crowd.isFull) throw new SockpoolError('QUEUE_FULL', `${crowd.max} callers wait already`)
    // Who will not wait for others still waits for its own dial, which has a bound of its own.
    const timeoutMs = waitMs === 0 ? undefined : waitMs
    const leased = this.#waiters.add(tenant, this.#parts.now(), { signal, timeoutMs }, () => this.#describe())
    this.#dispatch()
    return await leased
  }

  /** Ends a lease: `refusal` says why the connection may not serve again; null leaves it to the I/O worker. */
  async release(
    slot: PooledConnection,
    refusal: Exclude<ReleaseReason, 'clean'> | null,
    graceful = false,
  ): Promise<ReleaseVerdict> {
    if (slot.state.kind !== 'leased') return { outcome: 'closed', reason: refusal ?? 'error' }
    const { connection } = slot.state
    if (refusal !== null) {
      this.#close(slot, refusal, graceful)
      return { outcome: 'closed', reason: refusal }
    }
    const { promise, resolve } = Promise.withResolvers<ReleaseVerdict>()
    this.#slots.move(slot, { kind: 'quarantined', connection, settle: resolve })
    connection.letGo()
    return await promise
  }

  /** Closes the connection of a slot, leased or not. */
  kill(slot: PooledConnection): void {
    if (slot.state.kind !== 'closing') this.#close(slot, 'killed')
  }

  /** To be called now and then: closes what is too old or idle too long, and refills the warm minimum. */
  sweep(): void {
    const now = this.#parts.now()
    const { min, idleTimeoutMs } = this.target.pool
    // The oldest idle ones lie at the bottom.
    for (const slot of [...this.#slots.idle]) {
      if (slot.state.kind !== 'idle') continue
      if (!slot.state.connection.isFresh) this.#close(slot, 'error')
      else if (now >= slot.diesMs) this.#close(slot, 'lifetime')
      else if (now - slot.state.sinceMs >= idleTimeoutMs && this.#slots.open > min) this.#close(slot, 'idle')
    }
    this.warm()
  }

  /** Dials up to the warm minimum, unless the target has just failed. */
  warm(): void {
    while (!this.#isClosed && this.#slots.open < this.target.pool.min && this.#backoff.isOver) {
      if (this.#slots.isFull) return
      this.#dial()
    }
  }

  /** No new leases; waiters fail, idle connections close; resolves when the last slot is free. */
  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#waiters.failFirst(new SockpoolError('DRAINING', 'the pool is closed')));
    for (const slot of this.#slots.all) if (slot.state.kind !== 'leased') this.kill(slot)
    if (this.#slots.size > 0) await new Promise<void>(resolve => (this.#onEmpty = resolve))
  }

  #dispatch(): void {
    if (this.#isClosed) return
    for (const waiter of this.#waiters) {
      if (this.#slots.idle.length === 0) break
      const slot = this.#takeIdle(waiter.value.tenant)
      if (slot === null) continue
      this.#waiters.serve(waiter, slot)
    }
    while (this.#waiters.size > this.#slots.connecting && !this.#slots.isFull) this.#dial()
    // What lies idle for another tenant makes room rather than block this one.
    const uncovered = this.#waiters.size - this.#slots.connecting - this.#slots.closing
    for (const slot of this.#slots.idle.slice(0, Math.max(0, uncovered))) this.#close(slot, 'evicted')
  }

  /** The most recently used connection that this tenant may have and that is still good, leased. */
  #takeIdle(tenant: string): PooledConnection | null {
    for (let index = this.#slots.idle.length - 1; index >= 0; index--) {
      const slot = this.#slots.idle[index]
      if (slot === undefined || (slot.tenant !== null && slot.tenant !== tenant)) continue
      if (slot.state.kind !== 'idle') continue
      const { connection } = slot.state
      if (!connection.isFresh || this.#parts.now() >= slot.diesMs) {
        this.#close(slot, connection.isFresh ? 'lifetime' : 'error')
        continue
      }
      return this.#hand(slot, connection, tenant)
    }
    return null
  }

  #hand(slot: PooledConnection, connection: IoConnection, tenant: string): PooledConnection {
    this.#slots.move(slot, { kind: 'leased', connection, sinceMs: this.#parts.now() })
    slot.tenant = tenant
    slot.uses++
    return slot
  }

  #dial(): void {
    const { connector, now, random, dial } = this.#parts
    const { maxLifetimeMs, connectTimeoutMs } = this.target.pool
    const controller = new AbortController()
    // Up to a tenth earlier at random, so that a pool never renews all at once.
    const diesMs = now() + maxLifetimeMs * (1 - random() / 10)
    const slot = new PooledConnection(controller, now(), diesMs)
    this.#slots.add(slot)
    connector.open({ dial, connectTimeoutMs, signal: controller.signal }).then(
      connection => this.#connected(slot, connection),
      error => this.#failed(slot, SockpoolError.from(error, 'CONNECT_FAILED')),
    )
  }

  #connected(slot: PooledConnection, connection: IoConnection): void {
    // A target that hangs up at once is a failed dial, or its waiters would have it dialled over and over.
    if (connection.isGone)
      return this.#failed(
        slot,
        new SockpoolError('CONNECT_FAILED', 'the peer closed the connection at once', {
          reason: 'ECONNRESET',
        }),
      )
    this.#opened++
    this.#backoff.succeeded()
    connection.listen({
      onVerdict: verdict => this.#judged(slot, verdict),
      onClosed: how => this.#gone(slot, how),
    })
    // It was given up while it was dialled.
    if (slot.state.kind !== 'connecting') {
      connection.abort()
      return
    }
    this.#slots.move(slot, { kind: 'idle', connection, sinceMs: this.#parts.now() })
    // Not by way of `#takeIdle`: a peer may have said its piece and ended, for whoever awaits the connection to hear.
    const { first } = this.#waiters
    if (first !== null) this.#waiters.serve(first, this.#hand(slot, connection, first.value.tenant))
    this.#dispatch()
  }

  #failed(slot: PooledConnection, error: SockpoolError): void {
    if (slot.state.kind === 'connecting')
      this.#slots.move(slot, { kind: 'closing', connection: null, reason: 'failed' })
    this.#free(slot)
    this.#backoff.failed()
    if (error.code !== 'ABORTED') this.#waiters.failFirst(error)
    this.#dispatch()
  }

  #judged(slot: PooledConnection, verdict: VerdictName): void {
    if (slot.state.kind !== 'quarantined') return
    const { connection, settle } = slot.state
    if (this.#isClosed) return this.#close(slot, 'policy')
    const isTooOld = this.#parts.now() >= slot.diesMs
    if (verdict !== 'clean' || isTooOld) return this.#close(slot, verdict === 'clean' ? 'lifetime' : verdict)
    this.#slots.move(slot, { kind: 'idle', connection, sinceMs: this.#parts.now() })
    settle({ outcome: 'reused', reason: 'clean' })
    this.#dispatch()
  }

  /** The socket is gone, by whoever's doing. */
  #gone(slot: PooledConnection, how: EndName): void {
    if (slot.state.kind === 'leased') this.#parts.onLost(slot, how)
    const { state } = slot
    if (state.kind !== 'closing')
      this.#slots.move(slot, {
        kind: 'closing',
        connection: slot.connection,
        reason: how === 'poisoned' ? 'poisoned' : 'error',
      })
    if (state.kind === 'quarantined')
      state.settle({ outcome: 'closed', reason: how === 'fin' ? 'half_closed' : 'error' })
    this.#free(slot)
    this.#dispatch()
  }

  #close(slot: PooledConnection, reason: string, graceful = false): void {
    const { state } = slot
    if (state.kind === 'closing') return
    this.#slots.move(slot, { kind: 'closing', connection: slot.connection, reason })
    if (state.kind === 'quarantined')
      state.settle({
        outcome: 'closed',
        reason: reason === 'killed' ? 'discarded' : (reason as ReleaseReason),
      })
    if (state.kind === 'connecting') state.controller.abort()
    else if (graceful) state.connection.leaveClosing()
    else state.connection.abort()
  }

  #free(slot: PooledConnection): void {
    this.#slots.free(slot)
    if (this.#slots.size === 0) this.#onEmpty?.()
  }

  #describe(): string {
    return `${this.#slots.describe()}; ${this.#waiters.size} waiting`
  }
}
