/**
 * What one connection is made of, and what each part is given of the others. There may be ten thousand, most of them idle: so
 * the parts share this one object in place of one for each, and its methods in place of functions of their own.
 */
import type { FaultGuard } from '../../src/base/fault-guard.ts'
import type { Channel } from '../../src/channel/channel.ts'
import type { TurnRinger } from '../../src/channel/doorbell.ts'
import type { Tenure } from '../../src/channel/tenure.ts'
import type { EndName } from '../../src/channel/values.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import { ConnectionLife, type ConnectionLifeDeps } from './connection-life.ts'
import type { HolderBells } from './holder-bells.ts'
import { Inflow, type InflowDeps } from './inflow.ts'
import { Linger } from './linger.ts'
import type { MessageBalance } from './message-balance.ts'
import { Outflow, type OutflowDeps } from './outflow.ts'
import type { SilentTurns } from './silent-turns.ts'
import { Traffic, type TrafficDeps } from './traffic.ts'

/** What a connection is given by its I/O worker. */
export type ConnectionDeps = {
  readonly channel: Channel
  readonly generation: number
  /** The pool thread's doorbell, and those of whoever holds a channel. */
  readonly pool: TurnRinger
  readonly holders: HolderBells
  readonly vitals: Vitals
  /** Counts its requests and answers; null where nobody asks for the count, or it cannot be had. */
  readonly balance: MessageBalance | null
  /** One buffer per worker: a read is over before the next one begins. */
  readonly scratch: Buffer
  /** Milliseconds that a close may take in all, and the kernel for the last bytes of a released lease. */
  readonly closeLingerMs: number
  readonly turns: SilentTurns
  /** Wakes this thread's own look at its doorbell: it is awake anyway. */
  readonly stir: () => void
  /** The connection ends for this fault of ours. */
  readonly onFault: (error: unknown) => void
  /** The socket is gone and the channel's last word is published. */
  readonly onGone: () => void
}

/** The connection as its parts call it: guarded entries. */
export type PartsOwner = {
  /** Something may move again. */
  rung(): void
  /** The kernel has taken a piece, or the thread should look again. */
  more(): void
  /** A close has taken too long. */
  closesLate(): void
}

export class ConnectionParts implements InflowDeps, OutflowDeps, ConnectionLifeDeps, TrafficDeps {
  readonly channel: Channel
  readonly tenure: Tenure
  readonly scratch: Buffer
  readonly balance: MessageBalance | null
  readonly guard: FaultGuard
  readonly vitals: Vitals
  readonly inflow: Inflow
  readonly outflow: Outflow
  readonly linger: Linger
  readonly life: ConnectionLife
  readonly traffic: Traffic
  readonly #deps: ConnectionDeps
  readonly #owner: PartsOwner

  constructor(deps: ConnectionDeps, guard: FaultGuard, owner: PartsOwner) {
    this.#deps = deps
    this.#owner = owner
    this.channel = deps.channel
    this.tenure = deps.channel.connectionTenure(deps.generation)
    this.scratch = deps.scratch
    this.balance = deps.balance
    this.guard = guard
    this.vitals = deps.vitals
    this.inflow = new Inflow(this)
    this.outflow = new Outflow(this)
    this.linger = new Linger(deps.closeLingerMs, owner)
    this.life = new ConnectionLife(this)
    this.traffic = new Traffic(this)
  }

  get pool(): TurnRinger {
    return this.#deps.pool
  }

  get holders(): HolderBells {
    return this.#deps.holders
  }

  get onFault(): (error: unknown) => void {
    return this.#deps.onFault
  }

  get onGone(): () => void {
    return this.#deps.onGone
  }

  ringHolder(): void {
    this.#deps.holders.ring(this.channel)
  }

  tellEnd(how: EndName): void {
    this.life.tellEnd(how)
  }

  onRoom(): void {
    this.#owner.rung()
  }

  onMore(): void {
    this.#owner.more()
  }
}
