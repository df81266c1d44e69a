/**
 * The life of one connection in its I/O worker: what it can be, one after another, and how it ends. The socket and
 * whatever else only some of the states need is part of those states, so nothing is left over from the last one.
 *
 *   connecting ─► dialog ─► fresh ───────► leased ◄──────► hushed         TLS is about to start
 *        └──────────────────▲ │            │ ▲ │◄──────► spliced        its bytes are a client's, in this thread
 *                           │ │            │ │ │◄──────► seated         its bytes are messages for a desk of this thread
 *                             │            │ └─┼────── idle
 *                             │            ▼   │        ▲
 *                             ├────────► checking ──────┘                 the release check found nothing
 *                             │                │
 *                             └──────────► lingering ─► finishing         the holder asked to close
 *
 *   each of them ─► closing ─► (draining) ─► over
 *
 * `enter` alone changes the state. `epoch` is the one that the state is about: odd, the lease that is served; even, none
 * is. However it ends, the channel's last word (`closed`) is published only when the socket is gone, and nothing of the
 * channel is touched after it.
 */

import type { Socket } from 'node:net'
import { breakOff } from '../../src/base/break-off.ts'
import { invariant, SockpoolError } from '../../src/base/errors.ts'
import type { Channel } from '../../src/channel/channel.ts'
import type { TurnRinger } from '../../src/channel/doorbell.ts'
import type { Tenure } from '../../src/channel/tenure.ts'
import type { EndName } from '../../src/channel/values.ts'
import type { Seated } from './desk/seated.ts'
import type { DialogUnderWay } from './dialog/dialog-run.ts'
import type { HolderBells } from './holder-bells.ts'
import type { Inflow } from './inflow.ts'
import type { Linger } from './linger.ts'
import type { ReleaseCheck } from './release-check.ts'
import type { SpliceUnderWay } from './splice/splice.ts'

export type ConnectionState =
  /** It is dialled. Bytes may come before the dial is known to have succeeded. */
  | { readonly at: 'connecting'; readonly early: Buffer[] }
  /** The onConnect dialog runs. */
  | { readonly at: 'dialog'; readonly socket: Socket; readonly epoch: number; readonly run: DialogUnderWay }
  /** It was never leased: bytes are the peer's greeting and wait for the first lease. */
  | { readonly at: 'fresh'; readonly socket: Socket; readonly epoch: number }
  /** It serves this lease, and no other. */
  | { readonly at: 'leased'; readonly socket: Socket; readonly epoch: number }
  /** TLS is about to start: plain bytes go neither in nor out. */
  | { readonly at: 'hushed'; readonly socket: Socket; readonly epoch: number }
  /** Its lease is a client's of a forward, which lives in this thread too. */
  | {
      readonly at: 'spliced'
      readonly socket: Socket
      readonly epoch: number
      readonly splice: SpliceUnderWay
    }
  /** Its lease is a client's of a front door, or serves such clients: at the desk of this thread, where its bytes go. */
  | { readonly at: 'seated'; readonly socket: Socket; readonly epoch: number; readonly seated: Seated }
  /** Its lease was released: may it serve again? */
  | { readonly at: 'checking'; readonly socket: Socket; readonly epoch: number; readonly check: ReleaseCheck }
  /** It may serve again. A byte that comes in poisons it. */
  | { readonly at: 'idle'; readonly socket: Socket; readonly epoch: number }
  /** The last bytes of its lease are sent; what comes in is dropped. */
  | { readonly at: 'lingering'; readonly socket: Socket; readonly epoch: number }
  /** All is sent, and FIN follows. */
  | { readonly at: 'finishing'; readonly socket: Socket; readonly epoch: number }
  /** It has ended like this; the socket has yet to say that it is gone. */
  | { readonly at: 'closing'; readonly socket: Socket; readonly epoch: number; readonly how: EndName }
  /** The socket is gone; the last bytes for its lease wait for room in the ring. */
  | { readonly at: 'draining'; readonly epoch: number; readonly how: EndName }
  /** The channel is somebody else's. */
  | { readonly at: 'over' }

/** Whether an epoch is that of a lease. */
export function isLease(epoch: number): boolean {
  return (epoch & 1) === 1
}

type At = ConnectionState['at']

const NEXT: Readonly<Record<At, readonly At[]>> = {
  connecting: ['dialog', 'fresh', 'over'],
  dialog: ['dialog', 'fresh', 'closing', 'over'],
  fresh: ['leased', 'checking', 'lingering', 'closing', 'over'],
  leased: ['hushed', 'spliced', 'seated', 'checking', 'lingering', 'closing', 'draining', 'over'],
  hushed: ['leased', 'closing', 'over'],
  spliced: ['leased', 'closing', 'over'],
  seated: ['leased', 'closing', 'over'],
  checking: ['idle', 'closing', 'over'],
  idle: ['leased', 'checking', 'lingering', 'closing', 'over'],
  lingering: ['finishing', 'closing', 'draining', 'over'],
  finishing: ['closing', 'draining', 'over'],
  closing: ['draining', 'over'],
  draining: ['over'],
  over: [],
}

export type ConnectionLifeDeps = {
  readonly channel: Channel
  /** That of the connection: whose words the channel's are. */
  readonly tenure: Tenure
  /** The pool thread's doorbell, and those of whoever holds a channel. */
  readonly pool: TurnRinger
  readonly holders: HolderBells
  readonly inflow: Inflow
  readonly linger: Linger
  readonly onFault: (error: unknown) => void
  /** The connection is over. */
  readonly onGone: () => void
}

export class ConnectionLife {
  readonly #deps: ConnectionLifeDeps
  #state: ConnectionState = { at: 'connecting', early: [] }

  constructor(deps: ConnectionLifeDeps) {
    this.#deps = deps
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** That of now: TLS wraps it in another. */
  get socket(): Socket | null {
    return 'socket' in this.#state ? this.#state.socket : null
  }

  /** Its bytes go nowhere but to another socket of this thread. */
  get isWithin(): boolean {
    return this.#state.at === 'spliced' || this.#state.at === 'seated'
  }

  /** The one place where the state changes. */
  enter(next: ConnectionState): void {
    const before = this.#state
    const follows = NEXT[before.at].includes(next.at)
    if (!follows) invariant(false, `a connection went from ${before.at} to ${next.at}`)
    this.#state = next
    // It goes on with itself where TLS was started.
    if (before.at === 'dialog' && next.at !== 'dialog') before.run.fail('closed')
    if (before.at === 'checking') before.check.disturb('error')
    if (before.at === 'spliced') before.splice.parted()
    if (before.at === 'seated' && next.at !== 'leased') before.seated.parted()
    if (next.at === 'lingering') this.#deps.linger.begin()
    if (next.at !== 'over') return
    this.#deps.linger.end()
    this.#deps.onGone()
  }

  /** The socket failed. What came before may still be taken in. */
  broke(how: EndName): void {
    const state = this.#state
    if (!('socket' in state) || state.at === 'closing') return
    const { socket, epoch } = state
    this.enter({ at: 'closing', socket, epoch, how })
    this.#deps.inflow.finish(how)
    socket.destroy()
  }

  /** It ends here, and what is not in the ring is lost. */
  destroy(how: EndName): void {
    const state = this.#state
    switch (state.at) {
      case 'connecting':
        return this.enter({ at: 'over' })
      case 'over':
        return
      case 'closing':
        return this.#deps.inflow.cut(how)
      case 'draining':
        this.#deps.inflow.cut(how)
        return this.finish(state.how)
      default: {
        const { socket, epoch } = state
        this.enter({ at: 'closing', socket, epoch, how })
        this.#deps.inflow.cut(how)
        if (this.#deps.channel.asksReset) breakOff(socket)
        else socket.destroy()
      }
    }
  }

  /** The socket's own last word. Bytes that still wait for room in the ring of their lease go first. */
  gone(): void {
    const state = this.#state
    if (!('socket' in state)) return
    const { inflow, channel } = this.#deps
    const how = endOfState(state)
    inflow.finish(how)
    const { epoch } = state
    const isAwaited = isLease(epoch) && channel.epoch === epoch
    if (inflow.hasSpill && isAwaited) this.enter({ at: 'draining', epoch, how })
    else this.finish(how)
  }

  /** It is over, and says so: the channel is the pool's from then on. */
  finish(how: EndName): void {
    const { channel, tenure, inflow, holders, pool, onFault } = this.#deps
    inflow.cut(how)
    const bell = holders.of(channel)
    this.enter({ at: 'over' })
    if (tenure.stillHolds) channel.close(how)
    else onFault(new SockpoolError('CHANNEL_CORRUPT', 'a channel was given away before its connection ended'))
    pool.ring(channel.number)
    bell.ring(channel.number)
  }

  /** How the inbound direction ended; ends are the pool's to know, whoever holds the channel. */
  tellEnd(how: EndName): void {
    const { channel, tenure, holders, pool } = this.#deps
    if (tenure.stillHolds) channel.endInbound(how)
    pool.ring(channel.number)
    holders.ring(channel)
  }

  /** The channel is about to serve another connection: it is over, and says nothing. */
  abandon(): void {
    const state = this.#state
    if (state.at === 'over') return
    this.enter({ at: 'over' })
    if ('socket' in state) state.socket.destroy()
  }
}

/** How it has ended, for all that its state knows, where the socket says no more than that it is gone. */
function endOfState(state: ConnectionState): EndName {
  switch (state.at) {
    case 'closing':
      return state.how
    case 'hushed':
      return 'tls'
    case 'spliced':
      return state.splice.isOver ? 'fin' : 'closed'
    default:
      return 'closed'
  }
}
