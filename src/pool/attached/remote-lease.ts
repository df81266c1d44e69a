/**
 * The pool thread's record of a lease whose ends are on an attached thread: when it expires, how it ends, and that its
 * channel goes to nobody else before that thread has let go of it.
 *
 * What the holder does is seen in the words of the channel alone. A lease that ends from this side is ended by them
 * too: the end that the holder finds in its channel, blocked or not, is why its lease is gone.
 */
import type { GoneReason } from '../../base/errors.ts'
import type { EndName } from '../../channel/channel.ts'
import type { Ringer } from '../../channel/doorbell.ts'
import type { GrantData } from '../../threads/attach-protocol.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import { LeaseClock } from '../lease/lease-clock.ts'
import type { LeaseParts } from '../lease/lease-parts.ts'
import type { HeldLease } from '../target/held-lease.ts'
import type { ReleaseReason, ReleaseVerdict } from '../target/verdict.ts'

/** The thread that holds the lease, as its record sees it. */
export type Holder = {
  /** What the channel's holder word says. */
  readonly thread: number
  /** The thread's doorbell. */
  readonly ringer: Ringer
  /** Numbers the leases of the thread. */
  readonly lease: number
  /** The lease was ended by the pool. */
  readonly onEnded: (reason: GoneReason) => void
}

export class RemoteLease implements HeldLease {
  readonly target: string
  readonly tenant: string
  readonly ended: Promise<GoneReason>
  readonly #parts: LeaseParts
  readonly #holder: Holder
  readonly #clock: LeaseClock
  readonly #leakTimer: NodeJS.Timeout | null = null
  readonly #resolveEnded: (reason: GoneReason) => void
  #gone: GoneReason | null = null
  #isLost = false
  /** The thread still has the channel. */
  #isPinned = true

  constructor(parts: LeaseParts, holder: Holder) {
    const { connection, target, tenant, ttlMs, now, leakDetectionMs } = parts
    this.#parts = parts
    this.#holder = holder
    this.target = target
    this.tenant = tenant
    const { promise, resolve } = Promise.withResolvers<GoneReason>()
    this.ended = promise
    this.#resolveEnded = resolve
    connection.pin()
    connection.hold({ rung: () => holder.ringer.ring(connection.channel.number) }, holder.thread)
    this.#clock = new LeaseClock({
      ttlMs,
      now,
      onExpired: () => this.#end('expired'),
      activity: () => connection.channel.activity,
    })
    if (leakDetectionMs !== undefined)
      this.#leakTimer = setTimeout(() => parts.onLeak(), leakDetectionMs).unref()
  }

  /** Whether the lease goes on and its connection stands. */
  get isHeld(): boolean {
    return this.#gone === null && !this.#isLost
  }

  get ageMs(): number {
    return this.#clock.ageMs
  }

  get idleMs(): number {
    return this.#clock.idleMs
  }

  get lastOperation(): string | null {
    return this.#clock.lastOperation
  }

  get connection(): HeldConnection {
    return this.#parts.connection
  }

  get grant(): GrantData {
    const { connection, target, tenant, reused, reuse, ttlMs, replayBytes } = this.#parts
    const { id, facts, channel, doorbell } = connection
    const { lease } = this.#holder
    const { memory } = channel
    return {
      lease,
      target,
      tenant,
      connection: id,
      facts,
      memory,
      doorbell,
      reused,
      reuse,
      ttlMs,
      replayBytes,
    }
  }

  renew(ttlMs: number | undefined): void {
    if (this.#gone === null) this.#clock.renew(ttlMs)
  }

  /** Runs work on the channel that some thread does for the holder: the lease does not expire, the channel stays. */
  async operation<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.#clock.begin(name)
    this.connection.pin()
    try {
      return await run()
    } finally {
      this.connection.unpin()
      this.#clock.end()
    }
  }

  /** The holder has let go of the channel. `refusal`: what it saw that speaks against the connection. */
  async letGo(refusal: Exclude<ReleaseReason, 'clean'> | null, graceful: boolean): Promise<ReleaseVerdict> {
    this.#unpin()
    if (this.#gone !== null) return { outcome: 'closed', reason: this.#isLost ? 'error' : 'discarded' }
    this.#finish('released')
    return await this.#parts.giveBack(refusal ?? (this.#parts.isTooOld() ? 'lifetime' : null), graceful)
  }

  /** Nobody has heard of the lease: its connection is as it was. */
  release(): Promise<ReleaseVerdict> {
    return this.letGo(null, false)
  }

  /** The thread has ended; what it left half done nobody knows. */
  holderGone(): void {
    void this.letGo('discarded', false)
  }

  kill(): void {
    this.#end('killed')
  }

  connectionLost(_how: EndName): void {
    this.#isLost = true
    // The end is in the channel already; where its I/O worker died, that one could not ring.
    this.#holder.ringer.ring(this.connection.channel.number)
  }

  #end(reason: 'expired' | 'killed'): void {
    if (this.#gone !== null) return
    this.#finish(reason)
    if (!this.#isLost) {
      this.connection.channel.endInbound(reason)
      this.#holder.ringer.ring(this.connection.channel.number)
    }
    this.#holder.onEnded(reason)
    void this.#parts.giveBack('discarded', false)
  }

  /** The one place where the lease ends. */
  #finish(reason: GoneReason): void {
    this.#gone = reason
    this.#clock.stop()
    if (this.#leakTimer) clearTimeout(this.#leakTimer)
    this.#resolveEnded(reason)
    this.#parts.onEnded()
  }

  #unpin(): void {
    if (!this.#isPinned) return
    this.#isPinned = false
    this.connection.unpin()
  }
}
