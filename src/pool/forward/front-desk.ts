/**
 * The desk of a front door in one I/O worker, as the pool's thread knows it: which clients attend there, and which
 * connections are lent to it. Clients and connections there are served without a word to this thread; what the desk does
 * not serve comes back, and goes on here from where it stands.
 */
import type { CallerMessage, Frame } from '../../frames/frame.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { MovedBytes, OfChannel } from '../../threads/protocol.ts'
import type { DeskListener, ThreadDesk, ThreadDesks } from '../../threads/thread-desks.ts'
import type { Carrier } from './carrier.ts'

/** What a client that has strayed has asked and is not answered, and where; it is the client's to go on with. */
export type Unanswered = { readonly asked: readonly CallerMessage[]; readonly carrier: Carrier }

/** A client's way to the desk in its own thread. */
export interface DeskWay {
  /** It is served there from now on, behind so many of its bytes, until it strays, which is told once; false where there is no desk for it. */
  attend(served: number, onStrayed: (unanswered: Unanswered | null, moved: MovedBytes) => void): boolean
  /** It is to stray as soon as it awaits nothing. */
  recall(): void
}

type Attendance = { readonly onStrayed: (unanswered: Unanswered | null, moved: MovedBytes) => void }

const NOTHING: MovedBytes = { bytesIn: 0, bytesOut: 0 }

export type FrontDeskDeps = {
  readonly desks: ThreadDesks
  /** The number of its thread. */
  readonly thread: number
  readonly spec: FrameSpec
  readonly frame: Frame
  /** Clients wait at the desk. */
  readonly onWanted: () => void
  /** Nobody is answered any more. */
  readonly isOver: () => boolean
  /** A connection has come back. */
  readonly onReturned: (carrier: Carrier) => void
}

export class FrontDesk implements DeskListener {
  readonly #deps: FrontDeskDeps
  readonly #desk: ThreadDesk | null
  readonly #clients = new Map<string, Attendance>()
  readonly #lent = new Map<string, Carrier>()
  #wanted = 0
  #isClosed = false

  constructor(deps: FrontDeskDeps) {
    this.#deps = deps
    this.#desk = deps.desks.open(deps.spec, this)
  }

  /** By which it cuts messages. */
  get frame(): Frame {
    return this.#deps.frame
  }

  /** Connections that clients there wait for. */
  get demand(): number {
    return this.#wanted
  }

  get thread(): number {
    return this.#deps.thread
  }

  get lent(): number {
    return this.#lent.size
  }

  /** Serves the client from now on, of which so many bytes were dealt with; false where there is no desk any more. Told once how it has left. */
  attend(client: IoConnection, served: number, onStrayed: Attendance['onStrayed']): boolean {
    if (this.#desk === null) return false
    this.#clients.set(keyOf(client), { onStrayed })
    this.#desk.attend(client, served)
    return true
  }

  /** A client is to come back as soon as it awaits nothing. */
  recallClient(client: IoConnection): void {
    if (this.#clients.has(keyOf(client))) this.#desk?.recall(client)
  }

  /** Whether the connection lives where the desk is. */
  mayTake({ connection }: Carrier): boolean {
    return this.#desk !== null && connection.desks === this.#deps.desks
  }

  lend(carrier: Carrier): void {
    this.#lent.set(keyOf(carrier.connection), carrier)
    carrier.wentOut()
    this.#wanted = Math.max(0, this.#wanted - 1)
    this.#desk?.lend(carrier.connection)
  }

  /** All connections are to come back, each as soon as it carries nothing. */
  recall(): void {
    if (this.#lent.size > 0) this.#desk?.recall('lent')
  }

  /** Clients that wait there come back at once: there is no connection for them now, which each of them hears here. */
  recallWaiting(): void {
    if (this.#wanted > 0) this.#desk?.recall('waiting')
    this.#wanted = 0
  }

  /** What is there comes back. */
  close(): void {
    this.#wanted = 0
    this.#isClosed = true
    this.#desk?.close()
    this.#forgetIfDone()
  }

  wanted(carriers: number): void {
    this.#wanted = carriers
    this.#deps.onWanted()
  }

  returned(own: OfChannel, isAtRest: boolean): void {
    const carrier = this.#takeBack(own)
    if (carrier === null) return
    if (!isAtRest) carrier.spoil()
    this.#deps.onReturned(carrier)
    this.#forgetIfDone()
  }

  strayed(own: OfChannel & MovedBytes, asked: readonly CallerMessage[], asking: OfChannel | null): void {
    const key = nameOf(own)
    const client = this.#clients.get(key)
    this.#clients.delete(key)
    const carrier = asking === null ? null : this.#takeBack(asking)
    this.#forgetIfDone()
    if (carrier === null) return client?.onStrayed(null, own)
    if (this.#deps.isOver()) carrier.kill()
    if (client !== undefined) return client.onStrayed({ asked, carrier }, own)
    carrier.spoil()
    this.#deps.onReturned(carrier)
  }

  lost(): void {
    this.#wanted = 0
    const [clients, lent] = [[...this.#clients.values()], [...this.#lent.values()]]
    this.#clients.clear()
    this.#lent.clear()
    for (const { onStrayed } of clients) onStrayed(null, NOTHING)
    for (const carrier of lent) {
      carrier.spoil()
      this.#deps.onReturned(carrier)
    }
  }

  #forgetIfDone(): void {
    if (this.#isClosed && this.#clients.size + this.#lent.size === 0) this.#desk?.forget()
  }

  #takeBack(own: OfChannel): Carrier | null {
    const key = nameOf(own)
    const carrier = this.#lent.get(key)
    this.#lent.delete(key)
    carrier?.cameBack()
    return carrier ?? null
  }
}

/** A channel serves many connections, and what is told of one may come when the next has begun. */
function nameOf({ channel, generation }: OfChannel): string {
  return `${channel} ${generation}`
}

function keyOf({ channel, generation }: IoConnection): string {
  return nameOf({ channel: channel.number, generation })
}
