/**
 * One slot of a target's pool and the connection in it. The state is changed in `move` alone, along the arrows:
 *
 *   connecting ──► idle ◄──► leased ──► quarantined ──► idle, and back to be asked whether it is still good
 *        │           │         ├─► multiplexed│ (and to itself, where that takes long)
 *        └───────────┴─────────┴──────┴───────┴──► closing ──► (gone)
 *
 * The slot is taken before the dial and held until the socket is gone.
 */
import { type GoneReason, invariant } from '../../base/errors.ts'
import type { EndName } from '../../channel/values.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { DialWish } from './dial-wish.ts'
import { FlightRecorder } from './flight-recorder.ts'
import type { Refusal, ReleaseResult } from './release-result.ts'

export const SLOT_STATES = ['connecting', 'idle', 'leased', 'multiplexed', 'quarantined', 'closing'] as const
export type SlotStateName = (typeof SLOT_STATES)[number]

/** The lease on a slot, as far as its pool knows it. */
export interface SlotLease {
  readonly ageMs: number
  readonly idleMs: number
  readonly lastOperation: string | null
  readonly bytesIn: number
  readonly bytesOut: number
  /** The socket is gone. */
  connectionLost(how: EndName): void
  /** Ends it from outside. */
  kill(reason: GoneReason): void
  /** Gives a row of the flight recorder the bytes that it has moved and none before has. */
  settle(row: number): void
}

/** Tells whoever released the connection what became of it. */
export type TellResult = (result: ReleaseResult) => void

export type SlotState =
  | { readonly kind: 'connecting'; readonly controller: AbortController }
  | {
      readonly kind: 'idle'
      readonly connection: IoConnection
      readonly sinceMs: number
      /** When it was last known to be good. */
      readonly provenMs: number
    }
  | { readonly kind: 'leased'; readonly connection: IoConnection; readonly sinceMs: number }
  /** Its holder serves callers of all tenants with it, and never gives it back for others. */
  | { readonly kind: 'multiplexed'; readonly connection: IoConnection }
  | {
      readonly kind: 'quarantined'
      readonly connection: IoConnection
      readonly tell: TellResult
      /** The release, or the probe, in the flight recorder. */
      readonly call: number
      /** Since when it has been on its way back, to be there in a moment; null where that may take longer. */
      readonly returnsSinceMs: number | null
    }
  | {
      readonly kind: 'closing'
      readonly connection: IoConnection | null
      readonly reason: string
      /** Its last bytes are still being sent, which may take as long as its peer likes, up to a bound. */
      readonly lingers: boolean
    }

const NEXT: Readonly<Record<SlotStateName, readonly SlotStateName[]>> = {
  connecting: ['idle', 'closing'],
  idle: ['leased', 'quarantined', 'closing'],
  leased: ['multiplexed', 'quarantined', 'closing'],
  multiplexed: ['closing'],
  quarantined: ['quarantined', 'idle', 'closing'],
  closing: [],
}

export class Slot {
  #state: SlotState
  /** Whose it is from its first lease on; null before. */
  tenant: string | null = null
  /** Where it is connected to, in the list of its target's hosts. */
  host = 0
  /** Whom it was dialled for alone; null: whoever takes it. */
  own: DialWish | null = null
  /** Reconnects of its target that were before its dial. */
  generation = 0
  /** Leases it has served or serves. */
  uses = 0
  /** Its dial came to a connection. */
  wasOpened = false
  /** Its address is none of its host's any more. */
  hasVanished = false
  /** What its holder could not rule out when it was released last: why it is closed where messages are missing. */
  doubt: Refusal | null = null
  /** The lease on it; one whose connection is gone may outlast the slot. */
  lease: SlotLease | null = null
  /** Instants on the monotonic clock, in milliseconds: when the dial began, and when it is too old. */
  readonly createdMs: number
  readonly diesMs: number
  readonly flight: FlightRecorder

  constructor(controller: AbortController, createdMs: number, diesMs: number, flight: FlightRecorder) {
    this.flight = flight
    this.#state = { kind: 'connecting', controller }
    this.createdMs = createdMs
    this.diesMs = diesMs
  }

  /** For a connection that is about to be dialled: up to a tenth of its life shorter at random, so that a pool never renews all at once. */
  static dialled(
    controller: AbortController,
    { now, random }: { readonly now: () => number; readonly random: () => number },
    maxLifetimeMs: number,
    own: DialWish | null,
  ): Slot {
    const diesMs = now() + maxLifetimeMs * (1 - random() / 10)
    const slot = new Slot(controller, now(), diesMs, new FlightRecorder(now))
    slot.own = own
    return slot
  }

  get state(): SlotState {
    return this.#state
  }

  /** Null while it is being dialled. */
  get connection(): IoConnection | null {
    return this.#state.kind === 'connecting' ? null : this.#state.connection
  }

  /** Why the connection has served its time, or null. `maxUses`: 0 for no bound. */
  spent(nowMs: number, maxUses: number): 'lifetime' | 'max_uses' | null {
    if (nowMs >= this.diesMs) return 'lifetime'
    if (this.own !== null) return 'max_uses'
    return maxUses > 0 && this.uses >= maxUses ? 'max_uses' : null
  }

  /** The one place where a state changes. An arrow that is not drawn above is a fault of ours. */
  move(next: SlotState): void {
    const before = this.#state.kind
    if (!NEXT[before].includes(next.kind)) invariant(false, `a ${before} slot turned ${next.kind}`)
    this.#state = next
  }
}
