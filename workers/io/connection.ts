/**
 * One connection in its I/O worker: a socket, its channel, and the rules that move bytes between them.
 *
 *   kernel ──► Inflow ──► inbound ring ──► holder ──► outbound ring ──► Outflow ──► kernel
 *
 * What it is at a time is one of the states of `connection-life.ts`. The epoch's value is
 * the fence: the connection serves one lease at a time, whose epoch it adopts once, when it is fresh or idle, and it
 * moves bytes for that epoch alone. An epoch that cannot follow the one it serves is a fault of ours.
 *
 * A fault, whatever threw it, ends this connection and no other: see `base/fault-guard.ts`. Every call from outside comes
 * through a guarded entry.
 */
import type { Socket } from 'node:net'
import { SockpoolError } from '../../src/base/errors.ts'
import { FaultGuard } from '../../src/base/fault-guard.ts'
import type { Channel } from '../../src/channel/channel.ts'
import type { CheckName, EndName } from '../../src/channel/values.ts'
import type { ConnectionLife } from './connection-life.ts'
import { type ConnectionDeps, ConnectionParts } from './connection-parts.ts'
import { Seat } from './desk/seat.ts'
import type { Seated } from './desk/seated.ts'
import { ConnectionLine } from './dialog/connection-line.ts'
import { Dialogs } from './dialog/dialogs.ts'
import { ask } from './fence.ts'
import type { Inflow } from './inflow.ts'
import { ReleaseCheck, type ReleaseCheckDeps } from './release-check.ts'
import { SocketEars } from './socket-ears.ts'
import { connectError, endOf, hungUp } from './socket-error.ts'
import { type JoinRequest, join } from './splice/join.ts'
import type { Splice } from './splice/splice.ts'

/** What TLS starts on: the socket, and plain bytes that had no room in the ring. */
export type Hushed = { readonly socket: Socket; readonly spill: Buffer }

export class Connection {
  readonly channel: Channel
  readonly generation: number
  /** The buffer for the next read, never empty. */
  readonly nextBuffer: () => Buffer
  readonly #deps: ConnectionDeps
  readonly #guard = new FaultGuard(error => this.#faulty(error))
  readonly #inflow: Inflow
  /** The channel's epoch when this connection began: even, and no lease of it is older. */
  readonly #firstEpoch: number
  readonly #life: ConnectionLife
  readonly #parts: ConnectionParts
  readonly #ears: SocketEars
  #dialogs = Dialogs.none
  #checkDeps: ReleaseCheckDeps | null = null

  constructor(deps: ConnectionDeps) {
    const parts = new ConnectionParts(deps, this.#guard, this)
    this.#deps = deps
    this.channel = deps.channel
    this.generation = deps.generation
    this.#parts = parts
    this.#firstEpoch = deps.channel.epoch
    this.#inflow = parts.inflow
    this.#life = parts.life
    this.nextBuffer = this.#guard.entry(() => parts.traffic.nextBuffer(), deps.scratch)
    this.#ears = new SocketEars(this)
  }

  /** `count` bytes came into the buffer that `nextBuffer` gave; false pauses the socket. */
  readonly received: (count: number, buffer: Uint8Array) => boolean = this.#guard.entry((count, buffer) => {
    // What stays in this thread wakes nobody, and needs no look of its own for whoever might be woken.
    if (!this.#life.isWithin) this.#deps.stir()
    this.#follow()
    return this.#parts.traffic.received(count, buffer)
  }, false)

  /** The doorbell rang: the holder wrote, made room, shut, or let go. */
  rung(): void {
    this.#guard.enter(this, this.#rung, undefined)
  }

  /** The kernel has taken a piece, or the thread should look again. */
  more(): void {
    this.#guard.enter(this, this.#more, undefined)
  }

  /** A close has taken too long. */
  closesLate(): void {
    this.#guard.enter(this, this.#closesLate, undefined)
  }

  /** The peer has ended its direction. */
  socketEnded(): void {
    this.#guard.enter(this, this.#ended, undefined)
  }

  socketFailed(error: Error): void {
    this.#guard.enter(this, this.#broke, undefined, error)
  }

  socketClosed(): void {
    this.#guard.enter(this.#life, this.#life.gone, undefined)
  }

  /** The socket is connected, TLS included: from now on the connection lives until its socket closes. */
  open(socket: Socket): void {
    this.#greet(socket, this.#attend(socket))
  }

  /**
   * As `open`, once the dialog for new connections has passed; the socket, which is another where the dialog started TLS.
   * `host`: what a certificate must show. Errors: DIALOG_FAILED, STARTTLS_INJECTION; `abandon` it then.
   */
  async openWithDialogs(socket: Socket, host: string, dialogs: Dialogs): Promise<Socket> {
    const early = this.#attend(socket)
    this.#dialogs = dialogs
    const run = dialogs.begin('onConnect', () => this.#line(socket, host))
    if (run === null) {
      this.#greet(socket, early)
      return socket
    }
    this.#life.enter({ at: 'dialog', socket, epoch: this.#firstEpoch, run })
    for (const bytes of early) run.received(bytes)
    await run.done
    const state = this.#life.state
    if (state.at !== 'dialog')
      throw new SockpoolError('DIALOG_FAILED', 'the connection ended as its dialog did', { reason: 'closed' })
    this.#greet(state.socket, run.leftover)
    return state.socket
  }

  /** Ends it at once. */
  destroy(how: EndName = 'closed'): void {
    this.#guard.enter(this.#life, this.#life.destroy, undefined, how)
  }

  /** It serves many at once from now on, and no lease after that. */
  share(): void {
    this.#deps.balance?.stop()
  }

  /** Reads no more plain text and sends none; what had no room in the ring is the caller's. Null: it has ended. */
  hush(): Hushed | null {
    return this.#guard.enter<Connection, [], Hushed | null>(this, this.#hush, null)
  }

  /** Goes on with the TLS socket that wraps the hushed one. */
  secured(socket: Socket): void {
    this.#guard.enter(this, this.#secured, undefined, socket)
  }

  /** Joins the client with the lease that it serves; null: there is none, or it has ended, and the client is as it was. */
  join(request: JoinRequest): Splice | null {
    return this.#guard.enter<Connection, [JoinRequest], Splice | null>(this, this.#join, null, request)
  }

  /** Gives it a place at a desk; null: it serves no lease, or is not at rest. */
  readonly seat: (seated: Seated, served?: number) => Seat | null = this.#guard.entry(
    (seated, served) => this.#seat(seated, served),
    null,
  )

  /** For a socket that reads into buffers of its own. */
  feedFrom(socket: Socket): void {
    this.#ears.feedFrom(socket)
  }

  /** The dial failed or was given up: the channel is about to serve another connection and is not touched again. */
  abandon(): void {
    this.#life.abandon()
  }

  #attend(socket: Socket): readonly Buffer[] {
    const state = this.#life.state
    if (state.at !== 'connecting') {
      socket.destroy()
      throw new SockpoolError('CONNECT_FAILED', 'the connection was given up while it was made')
    }
    // Its last word was said to nobody, and is not said again.
    if (socket.closed) throw connectError(hungUp(), false)
    this.#ears.listen(socket)
    return state.early
  }

  #line(socket: Socket, host: string): ConnectionLine {
    return new ConnectionLine(socket, {
      life: this.#life,
      host,
      vitals: this.#deps.vitals,
      onWrote: this.#guard.action(() => this.#wrote()),
      leave: plain => {
        this.#ears.unlisten(plain)
        this.#ears.stopReading(plain)
      },
      goOn: secured => {
        this.#ears.listen(secured)
        this.#ears.feedFrom(secured)
      },
    })
  }

  #hush(): Hushed | null {
    this.#follow()
    const state = this.#life.state
    if (state.at !== 'leased' || this.#inflow.end !== 'open') return null
    const { socket, epoch } = state
    this.#life.enter({ at: 'hushed', socket, epoch })
    this.#ears.stopReading(socket)
    return { socket, spill: this.#inflow.takeSpill() }
  }

  #secured(socket: Socket): void {
    const state = this.#life.state
    if (state.at !== 'hushed') {
      socket.destroy()
      return
    }
    this.#ears.unlisten(state.socket)
    this.#life.enter({ at: 'leased', socket, epoch: state.epoch })
    this.#inflow.unpause()
    this.#ears.listen(socket)
    this.#ears.feedFrom(socket)
    if (socket.closed) return this.#life.gone()
    this.#rung()
  }

  #join(request: JoinRequest): Splice | null {
    this.#follow()
    const hasDialog = this.#dialogs.has('onRelease')
    return join({ ...this.#parts, hasDialog }, request)
  }

  #seat(seated: Seated, served?: number): Seat | null {
    // What its holder has said before goes out before.
    this.#rung()
    return Seat.take({ ...this.#parts, onLeft: () => this.#rung() }, seated, served)
  }

  /** What has come is the peer's greeting. */
  #greet(socket: Socket, greeting: Iterable<Buffer>): void {
    this.#life.enter({ at: 'fresh', socket, epoch: this.#firstEpoch })
    for (const bytes of greeting) this.#inflow.deliver(bytes, bytes.length)
    if (this.#inflow.pauseIfFull()) socket.pause()
    if (this.#parts.outflow.arm()) this.#deps.stir()
  }

  #rung(): void {
    this.#follow()
    this.#parts.traffic.resume()
    this.#parts.traffic.flush()
  }

  #more(): void {
    this.#deps.stir()
    this.#wrote()
    this.#rung()
  }

  #wrote(): void {
    if (this.#life.state.at === 'checking') this.#life.state.check.wrote()
  }

  /** Does what the channel's words ask. */
  #follow(): void {
    const state = this.#life.state
    if (!('epoch' in state)) return
    // The epoch before the shut word: who asks to close stores the shut word first, and only then ends the lease. Who
    // aborts ends the lease first; a check that begins in between is over with the bell for the abort.
    const { epoch } = this.channel
    const { shut } = this.channel
    const asked = ask(state, epoch, shut)
    if (asked === 'nothing') return
    // It is any lease again, of which the same is asked then.
    if (state.at === 'seated' && asked !== 'abort') return state.seated.stray()
    if (asked === 'abort' || !('socket' in state) || state.at === 'closing')
      return this.#life.destroy('closed')
    const { socket } = state
    switch (asked) {
      case 'serve':
        return this.#life.enter({ at: 'leased', socket, epoch })
      case 'check':
        return this.#check(socket, epoch)
      case 'close':
        // A close that TLS is in the way of has its bound from now on as well.
        if (state.at === 'hushed') return this.#parts.linger.begin()
        return this.#parts.traffic.lingerOn(socket, epoch)
      case 'drop':
        this.channel.setChecked(epoch, 'error')
        return this.#life.destroy('closed')
      default:
        asked satisfies never
    }
  }

  #check(socket: Socket, epoch: number): void {
    this.#checkDeps ??= {
      ...this.#deps,
      ...this.#parts,
      isSending: () => (this.#life.socket?.writableLength ?? 0) > 0 || this.#parts.outflow.isSending,
      dialogs: this.#dialogs,
      line: () => this.#line(this.#life.socket ?? socket, ''),
      onFound: (check, found) => this.#checked(check, found),
    }
    const check = new ReleaseCheck(this.#checkDeps)
    this.#life.enter({ at: 'checking', socket, epoch, check })
    check.begin()
  }

  #checked(check: ReleaseCheck, found: CheckName): void {
    this.#follow()
    const state = this.#life.state
    if (state.at !== 'checking' || state.check !== check) return
    const { socket, epoch } = state
    if (found === 'clean') {
      this.channel.rewind()
      this.#inflow.reopen()
      this.#parts.outflow.reopen()
      this.#deps.balance?.reopen()
      this.#life.enter({ at: 'idle', socket, epoch })
      if (this.#parts.outflow.arm()) this.#deps.stir()
    }
    this.channel.setChecked(epoch, found)
    if (found !== 'clean') this.#life.destroy('closed')
    this.#deps.pool.ring(this.channel.number)
  }

  /** The peer has ended its direction. */
  #ended(): void {
    this.#follow()
    const state = this.#life.state
    if (state.at === 'dialog') return this.#life.destroy('closed')
    if (state.at === 'spliced') return state.splice.ended(this.#ears.peerEnd)
    if (state.at === 'seated') state.seated.stray()
    this.#inflow.finish(this.#ears.peerEnd)
    if (state.at === 'checking') state.check.disturb('half_closed')
    else if (state.at === 'idle') this.#life.destroy('closed')
    else this.#parts.traffic.flush()
  }

  /** A close has taken too long. Where the peer's end began it, what came before that is still the lease's. */
  #closesLate(): void {
    if (this.channel.shut === 'close') this.#life.destroy('closed')
    else this.#life.broke('closed')
  }

  #broke(error: Error): void {
    this.#follow()
    this.#life.broke(endOf(error))
  }

  #faulty(error: unknown): void {
    this.#deps.onFault(error)
    this.#life.destroy('corrupt')
  }
}
