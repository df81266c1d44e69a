/**
 * The ends of a lease that are on an attached thread, as its record sees them: what they do shows in the words of their
 * channel alone, and what they are to hear is written there too, for a thread that blocks hears nothing else.
 *
 *   offered ──granted──► held ──leave──► left
 *      └─────────the lease ended before─────┘
 *
 * The channel is pinned until the thread has let go of it, by its word or by its death.
 */
import type { GoneReason } from '../../base/errors.ts'
import type { Ringer } from '../../channel/doorbell.ts'
import type { RingMeter } from '../../channel/ring-meter.ts'
import type { LeaseActivity } from '../lease/lease-clock.ts'
import type { LeaseHolder } from '../lease/lease-keeper.ts'
import type { LeaseRecord } from '../lease/lease-record.ts'

export class AttachedHolder implements LeaseHolder {
  readonly #record: LeaseRecord
  readonly #ringer: Ringer
  readonly #tell: (reason: GoneReason) => void
  readonly #meters: { readonly taken: RingMeter; readonly given: RingMeter }
  #state: 'offered' | 'held' | 'left' = 'offered'
  #bytesIn = 0
  #bytesOut = 0

  /** `ringer`: the thread's doorbell. `tell`: the lease was ended from this side. */
  constructor(record: LeaseRecord, ringer: Ringer, tell: (reason: GoneReason) => void) {
    this.#record = record
    this.#ringer = ringer
    this.#tell = tell
    this.#meters = record.connection.channel.meters()
    record.connection.pin()
  }

  get activity(): LeaseActivity {
    this.#count()
    return this.#record.connection.channel.activity
  }

  /** What the thread keeps is its own. */
  get replayBytes(): number {
    return 0
  }

  /** By the counters of the rings. */
  get bytesIn(): number {
    this.#count()
    return this.#bytesIn
  }

  get bytesOut(): number {
    this.#count()
    return this.#bytesOut
  }

  /** The thread knows what it has read, and says when it is done. */
  isSpent(): boolean {
    return false
  }

  /** The thread hears of the lease. */
  granted(): void {
    if (this.#state === 'offered') this.#state = 'held'
  }

  rung(): void {
    this.#ringer.ring(this.#record.connection.channel.number)
  }

  broke(): void {
    this.rung()
  }

  /** The end is in the channel already; where its I/O worker died, that one could not ring. */
  lost(): void {
    this.rung()
  }

  ended(reason: GoneReason): void {
    switch (this.#state) {
      case 'offered':
        return this.leave()
      case 'held':
        this.#record.connection.channel.endInbound(
          reason === 'expired' || reason === 'revoked' ? reason : 'killed',
        )
        this.rung()
        return this.#tell(reason)
      case 'left':
        return
      default:
        this.#state satisfies never
    }
  }

  /** The thread has let go of the channel, or is no more. */
  leave(): void {
    if (this.#state === 'left') return
    this.#count()
    this.#state = 'left'
    this.#record.connection.unpin()
  }
  /** What the thread has let go of may be another's by now. */
  #count(): void {
    if (this.#state === 'left') return
    this.#bytesIn = this.#meters.taken.total
    this.#bytesOut = this.#meters.given.total
  }
}
