/**
 * The bytes of one connection, as far as its state lets them move: in from the socket, out to it, and dropped where nobody
 * wants them any more. Whoever calls has made sure that the state is up to date with the channel's words.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Channel } from '../../src/channel/channel.ts'
import { isPeerEnd, type SHUT } from '../../src/channel/values.ts'
import type { Vitals } from '../../src/channel/vitals.ts'
import type { ConnectionLife } from './connection-life.ts'
import type { Inflow } from './inflow.ts'
import type { Linger } from './linger.ts'
import type { Outflow } from './outflow.ts'

export type TrafficDeps = {
  readonly channel: Channel
  readonly life: ConnectionLife
  readonly inflow: Inflow
  readonly outflow: Outflow
  readonly linger: Linger
  readonly vitals: Vitals
  readonly scratch: Buffer
}

export class Traffic {
  readonly #deps: TrafficDeps

  constructor(deps: TrafficDeps) {
    this.#deps = deps
  }

  /** The buffer for the next read, never empty. */
  nextBuffer(): Buffer {
    const { state } = this.#deps.life
    if (state.at === 'spliced') return state.splice.nextBuffer()
    const { at } = state
    const isServing = at === 'fresh' || at === 'leased' || at === 'idle'
    return isServing ? this.#deps.inflow.nextBuffer() : this.#deps.scratch
  }

  /** `count` bytes came into the buffer that `nextBuffer` gave; false pauses the socket. */
  received(count: number, buffer: Uint8Array): boolean {
    this.#deps.vitals.count('bytesIn', count)
    const state = this.#deps.life.state
    switch (state.at) {
      case 'fresh':
      case 'leased':
        this.#deps.inflow.deliver(buffer, count)
        return !this.#pausesIfFull()
      case 'spliced':
        return state.splice.received(count, buffer)
      case 'seated':
        return state.seated.received(Buffer.from(buffer.buffer, buffer.byteOffset, count))
      case 'connecting':
        state.early.push(Buffer.from(buffer.subarray(0, count)))
        return true
      case 'dialog':
        state.run.received(Buffer.from(buffer.buffer, buffer.byteOffset, count))
        return true
      case 'checking':
        state.check.received(Buffer.from(buffer.buffer, buffer.byteOffset, count))
        return true
      case 'idle':
        this.#deps.life.destroy('poisoned')
        return false
      case 'lingering':
      case 'finishing':
        return this.#deps.linger.drop(count)
      case 'hushed':
      case 'closing':
      case 'draining':
      case 'over':
        return false
      default:
        return state satisfies never
    }
  }

  #pausesIfFull(): boolean {
    const isFull = this.#deps.inflow.pauseIfFull()
    if (isFull) this.#deps.vitals.add('stallsIn', 1)
    return isFull
  }

  /** Lets a paused socket go on where there is room for its bytes. */
  resume(): void {
    const state = this.#deps.life.state
    switch (state.at) {
      case 'fresh':
      case 'leased':
      case 'checking':
      case 'idle':
        if (this.#deps.inflow.tryResume()) state.socket.resume()
        return
      case 'lingering':
      case 'finishing':
      case 'closing':
        // Nothing more is read, but what came before the peer's end is still the lease's.
        this.#deps.inflow.tryResume()
        return
      case 'draining':
        this.#deps.inflow.tryResume()
        if (!this.#deps.inflow.hasSpill) this.#deps.life.finish(state.how)
        return
      default:
    }
  }

  /** Sends what the holder wrote, and then does as it asked. */
  flush(): void {
    const state = this.#deps.life.state
    if (state.at !== 'leased' && state.at !== 'lingering') return
    const { socket, epoch } = state
    const shut = this.#deps.outflow.flush(socket, () => this.#outboundEnd(socket))
    switch (shut) {
      case null:
        return
      case 'finish':
        socket.end()
        return
      case 'close':
        if (state.at === 'leased') this.lingerOn(socket, epoch)
        this.#deps.life.enter({ at: 'finishing', socket, epoch })
        socket.destroySoon()
        return
      case 'abort':
        return this.#deps.life.destroy('closed')
      default:
        shut satisfies never
    }
  }

  /** TLS has no half-close: a peer that ends its direction ends the connection, after what was written. */
  #outboundEnd(socket: Socket): keyof typeof SHUT {
    const { shut } = this.#deps.channel
    return isPeerEnd(this.#deps.inflow.end) && socket instanceof TLSSocket && shut !== 'abort'
      ? 'close'
      : shut
  }

  /** From now on unread bytes are dropped, as they would turn the close into a reset. */
  lingerOn(socket: Socket, epoch: number): void {
    this.#deps.life.enter({ at: 'lingering', socket, epoch })
    socket.resume()
  }
}
