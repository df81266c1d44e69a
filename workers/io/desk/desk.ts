/**
 * The desk of a front door in one I/O worker, where its clients and the connections meet that are lent to it: what a client
 * asks is carried without a word to the pool's thread, as long as it is plain.
 *
 *   client ──whole plain requests──► waiting, in line ──► a connection at hand ──its last answer is in──► at hand again
 *      └──anything else──► strays: the pool's thread reads it from the ring, and serves it
 *
 * A connection has one client's requests on it at a time, and each client hears whole answers to its own. What takes longer
 * than usual, or is odd in any way, goes on at the pool's thread from where it stands: a client that waits too long, an
 * answer that does not come, bytes that nobody asked for, a side that has ended.
 */
import { LIMITS } from '../../../src/base/limits.ts'
import type { CallerMessage, Frame, MessageCutter } from '../../../src/frames/frame.ts'
import type { FromIoWorker, MovedBytes, OfChannel } from '../../../src/threads/protocol.ts'
import type { Connection } from '../connection.ts'
import { type Asked, DeskCarrier } from './desk-carrier.ts'
import { DeskClient } from './desk-client.ts'

type Carrier = DeskCarrier<DeskClient>

export type DeskDeps = {
  readonly number: number
  readonly frame: Frame
  /** Null where requests cannot be cut. */
  readonly requests: () => MessageCutter<CallerMessage>
  readonly tell: (message: FromIoWorker) => void
  readonly now: () => number
  /** A look at what takes too long, soon; not a second one before the first. */
  readonly lookSoon: () => void
}

export class Desk {
  readonly #deps: DeskDeps
  readonly #clients = new Map<number, DeskClient>()
  readonly #carriers = new Map<number, Carrier>()
  /** Connections at hand, the one that was used last at the end. */
  readonly #free: Carrier[] = []
  /** Clients that wait for one, the one that came first at the beginning. */
  readonly #line = new Set<DeskClient>()
  #told = 0
  #isRecalled = false

  constructor(deps: DeskDeps) {
    this.#deps = deps
  }

  /** Nothing is left to look at. */
  get isQuiet(): boolean {
    return this.#carriers.size === 0 && this.#line.size === 0
  }

  /** Serves a client from now on, or says that it does not. */
  attend(connection: Connection, generation: number, served: number): void {
    const { number } = connection.channel
    const client: DeskClient = new DeskClient({
      requests: this.#deps.requests,
      onAsked: () => this.#asked(client),
      onStray: () => this.#stray(client),
      onParted: () => this.#parted(client),
    })
    const seat = connection.seat(client, served)
    if (seat === null) return this.#tellStrayed({ channel: number, generation }, client, [], null)
    client.sit(seat, { channel: number, generation })
    this.#clients.set(number, client)
  }

  /** A connection that carries from now on, or is given back at once. */
  lend(connection: Connection, generation: number): void {
    const { number } = connection.channel
    this.#told = Math.max(0, this.#told - 1)
    this.#isRecalled = false
    const carrier: Carrier = new DeskCarrier({
      answers: this.#deps.frame.answers(),
      onAnswered: () => this.#answered(carrier),
      onOdd: unseen => this.#odd(carrier, unseen),
      onParted: () => this.#lost(carrier),
    })
    const own = { channel: number, generation }
    const seat = connection.seat(carrier)
    if (seat === null) return this.#tellReturned({ own }, true)
    carrier.sit(seat, own, this.#deps.now())
    this.#carriers.set(number, carrier)
    this.#next(carrier)
    this.#deps.lookSoon()
  }

  /** Connections go back as soon as nothing is under way on them. */
  recall(): void {
    this.#isRecalled = true
    for (const carrier of this.#free.splice(0)) this.#giveBack(carrier)
  }

  /** A client leaves as soon as it has its answers; at once where it awaits none. */
  recallClient({ channel, generation }: OfChannel): void {
    const client = this.#clients.get(channel)
    if (client?.own.generation !== generation) return
    if (client.state.at === 'resting') this.#stray(client)
    else client.isLeaving = true
  }

  /** Nobody is to wait here. */
  recallWaiting(): void {
    this.#told = 0
    for (const client of [...this.#line]) this.#stray(client)
  }

  /** Looks at what takes too long: it goes on at the pool's thread. */
  look(): void {
    const now = this.#deps.now()
    for (const carrier of [...this.#free])
      if (now - carrier.usedMs >= LIMITS.deskIdleMs) this.#giveBack(carrier)
    for (const carrier of [...this.#carriers.values()]) {
      const { client } = carrier
      if (client !== null && now - carrier.usedMs >= LIMITS.deskAnswerMs) this.#strayWith(carrier, [])
    }
    for (const client of [...this.#line]) {
      if (client.state.at !== 'waiting' || now - client.state.sinceMs < LIMITS.forwardTurnMs) break
      this.#stray(client)
    }
    this.#want()
  }

  /** There is no such desk any more: all go on at the pool's thread. */
  close(): void {
    for (const client of [...this.#clients.values()]) this.#stray(client)
    for (const carrier of [...this.#carriers.values()]) this.#giveBack(carrier)
  }

  #asked(client: DeskClient): void {
    const { state } = client
    if (state.at !== 'waiting') return
    const carrier = this.#line.size === 0 ? this.#free.pop() : undefined
    if (carrier !== undefined) return this.#carry(carrier, client, state.asked)
    state.sinceMs = this.#deps.now()
    this.#line.add(client)
    if (this.#told === 0) this.#want()
    this.#deps.lookSoon()
  }

  #carry(carrier: Carrier, client: DeskClient, asked: Asked): void {
    client.state = { at: 'asking', asked }
    client.bytesOut += asked.bytes.length
    carrier.carry(client, asked, this.#deps.now())
  }

  /** A connection is free: for whoever has waited for longest, unless it has been here for long enough. */
  #next(carrier: Carrier): void {
    if (this.#isRecalled || this.#deps.now() - carrier.sinceMs >= LIMITS.forwardTurnMs)
      return this.#giveBack(carrier)
    for (const client of this.#line) {
      this.#line.delete(client)
      if (client.state.at === 'waiting') return this.#carry(carrier, client, client.state.asked)
    }
    this.#free.push(carrier)
  }

  #answered(carrier: Carrier): void {
    const client = carrier.leaveClient()
    this.#next(carrier)
    if (client !== null) this.#rest(client)
  }

  /** A client has all that it asked for. */
  #rest(client: DeskClient): void {
    client.state = { at: 'resting' }
    if (client.isGone) return
    if (client.isLeaving || client.isFull) return this.#stray(client)
    client.goOn()
  }

  /** Something came on a connection that the pool's thread is to judge. */
  #odd(carrier: Carrier, unseen: readonly Uint8Array[]): void {
    if (carrier.owed > 0) return this.#strayWith(carrier, unseen)
    const client = carrier.leaveClient()
    this.#unhand(carrier)
    carrier.seat.leave(null, unseen)
    this.#tellReturned(carrier, unseen.length === 0)
    if (client !== null) this.#rest(client)
  }

  /** A client and the connection that carries for it, which go on together. */
  #strayWith(carrier: Carrier, unseen: readonly Uint8Array[]): void {
    const client = carrier.leaveClient()
    if (client === null || client.state.at !== 'asking') return
    const { bytes, messages } = carrier.outstanding(client.state.asked)
    this.#unhand(carrier)
    carrier.seat.leave(bytes, [...carrier.takeBegun(), ...unseen])
    // Nobody hears the rest of one that has gone.
    if (client.isGone) return this.#tellReturned(carrier, false)
    this.#clients.delete(client.own.channel)
    client.leave()
    this.#tellStrayed(client.own, client, messages, carrier.own)
  }

  #stray(client: DeskClient): void {
    for (const carrier of client.state.at === 'asking' ? this.#carriers.values() : [])
      if (carrier.client === client) return this.#strayWith(carrier, [])
    this.#line.delete(client)
    this.#clients.delete(client.own.channel)
    client.leave()
    this.#tellStrayed(client.own, client, [], null)
  }

  /** A client is gone: what is under way for it is awaited, and dropped. */
  #parted(client: DeskClient): void {
    this.#line.delete(client)
    this.#clients.delete(client.own.channel)
    this.#tellStrayed(client.own, client, [], null)
  }

  #lost(carrier: Carrier): void {
    const client = carrier.leaveClient()
    this.#unhand(carrier)
    if (client === null || client.isGone || client.state.at !== 'asking')
      return this.#tellReturned(carrier, false)
    const { messages } = carrier.outstanding(client.state.asked)
    this.#clients.delete(client.own.channel)
    client.leave()
    this.#tellStrayed(client.own, client, messages, carrier.own)
  }

  #giveBack(carrier: Carrier): void {
    if (carrier.owed > 0) return this.#strayWith(carrier, [])
    this.#unhand(carrier)
    carrier.seat.leave(null, [])
    this.#tellReturned(carrier, true)
  }

  #unhand(carrier: Carrier): void {
    this.#carriers.delete(carrier.own.channel)
    const at = this.#free.indexOf(carrier)
    if (at !== -1) this.#free.splice(at, 1)
  }

  #want(): void {
    const wanted = this.#line.size
    if (wanted === this.#told) return
    this.#told = wanted
    this.#deps.tell({ kind: 'wanted', desk: this.#deps.number, carriers: wanted })
  }

  #tellReturned({ own }: Pick<Carrier, 'own'>, isAtRest: boolean): void {
    this.#deps.tell({ kind: 'returned', desk: this.#deps.number, ...own, isAtRest })
  }

  #tellStrayed(
    own: OfChannel,
    { bytesIn, bytesOut }: MovedBytes,
    asked: readonly CallerMessage[],
    carrier: OfChannel | null,
  ): void {
    const moved = { bytesIn, bytesOut }
    this.#deps.tell({ kind: 'strayed', desk: this.#deps.number, ...own, ...moved, asked, carrier })
  }
}
