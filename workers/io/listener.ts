/**
 * One listener in its I/O worker: the servers that are bound, and the connections that were accepted and wait.
 *
 *   accepted ──► shaking (TLS alone) ──► waiting ──► adopted or refused
 *
 * Each that waits is announced to the pool's thread, which answers with a channel for it or refuses it; node accepts
 * whatever comes, so both sets are bounded here. What comes beyond is destroyed and counted. A connection is in one set
 * at a time, and in none once it is the caller's or gone.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { FaultGuard } from '../../src/base/fault-guard.ts'
import { LIMITS } from '../../src/base/limits.ts'
import type { Succession } from '../../src/base/succession.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { BoundAddress, ListenSpec } from '../../src/threads/protocol.ts'
import { bindAll, listenError, stopListening } from './bind.ts'
import { SocketFile } from './socket-file.ts'
import { secureAsServer } from './tls-server.ts'

export type ListenerDeps = {
  readonly spec: ListenSpec
  /** An accepted connection waits, by this number. */
  readonly announce: (incoming: number, socket: Socket) => void
  /** A fault of ours, for which one client was disconnected. */
  readonly onFault: (error: unknown) => void
  /** Milliseconds until a handshake gives way where too many are under way; default: LIMITS.handshakeYieldMs. */
  readonly handshakeYieldMs?: number | undefined
}

/** Where it is bound, and how another can be bound there beside it. */
export type ListenerBound = {
  readonly addresses: readonly BoundAddress[]
  readonly succession: Succession | null
}

export class Listener {
  readonly #spec: ListenSpec
  readonly #announce: ListenerDeps['announce']
  readonly #onFault: (error: unknown) => void
  readonly #handshakeYieldMs: number
  #servers: Server[] = []
  #file: SocketFile | null = null
  /** Accepted, TLS included where it is spoken, and neither adopted nor refused. */
  readonly #waiting = new Map<number, Socket>()
  /** Accepted, and in their TLS handshake since then (of performance.now); the one for longest stands first. */
  readonly #shaking = new Map<Socket, number>()
  /** Clients that were disconnected because a bound was reached, since somebody asked. */
  #dropped = 0
  #next = 1
  #isServing = false
  #isClosed = false
  /** It listens no more, and ends with the last that waits. */
  #leaving: PromiseWithResolvers<void> | null = null

  constructor({ spec, announce, onFault, handshakeYieldMs = LIMITS.handshakeYieldMs }: ListenerDeps) {
    this.#spec = spec
    this.#announce = announce
    this.#onFault = onFault
    this.#handshakeYieldMs = handshakeYieldMs
  }

  /** Binds. Errors: LISTEN_FAILED, DNS_FAILED; nothing stays bound. */
  async open(resolver: NameResolver): Promise<ListenerBound> {
    const { where } = this.#spec
    try {
      if (where.kind === 'unix') {
        const server = this.#makeServer()
        this.#file = await SocketFile.listen(server, where.path, this.#spec)
        this.#servers = [server]
        const address: BoundAddress = { address: where.path, port: 0, family: 'unix' }
        return { addresses: [address], succession: this.#file.succession }
      }
      const bound = await bindAll(where.hosts, where.port, this.#spec, () => this.#makeServer(), resolver)
      this.#servers = bound.map(({ server }) => server)
      return {
        addresses: bound.map(({ address }) => address),
        succession: bound.every(({ isShared }) => isShared) ? { kind: 'port' } : null,
      }
    } catch (error) {
      // Who came meanwhile is nobody's.
      this.#isClosed = true
      throw listenError(error, where.kind === 'unix' ? where.path : `port ${where.port}`)
    } finally {
      // It was told to close while it was being bound.
      if (this.#isClosed) this.#end()
    }
  }

  /** Announces what waits, and from now on what comes. */
  serve(): void {
    if (this.#isServing) return
    this.#isServing = true
    for (const [incoming, socket] of this.#waiting) this.#announce(incoming, socket)
  }

  /** An announced connection, which is the caller's from now on; undefined where it has ended meanwhile. */
  take(incoming: number): Socket | undefined {
    const socket = this.#waiting.get(incoming)
    this.#waiting.delete(incoming)
    this.#tellEmpty()
    return socket
  }

  refuse(incoming: number): void {
    this.take(incoming)?.destroy()
  }

  /**
   * Stops listening. Who waits is still announced, and adopted or refused. Resolves when nobody is left, or it was closed.
   */
  async leave(): Promise<void> {
    await stopListening(this.#servers)
    this.#unbind()
    this.#leaving = Promise.withResolvers<void>()
    this.#tellEmpty()
    await this.#leaving.promise
  }

  /** Stops listening; what was not adopted is destroyed. */
  close(): void {
    this.#isClosed = true
    this.#end()
  }

  /** How many clients were disconnected, because too many were here already, since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  #end(): void {
    const guard = new FaultGuard(this.#onFault)
    this.#unbind()
    for (const socket of [...this.#waiting.values(), ...this.#shaking.keys()])
      guard.run(() => void socket.destroy())
    this.#waiting.clear()
    this.#shaking.clear()
    this.#tellEmpty()
    const { where } = this.#spec
    const file = this.#file
    this.#file = null
    if (where.kind === 'unix' && where.cleanup) file?.remove()
  }

  #unbind(): void {
    const guard = new FaultGuard(this.#onFault)
    for (const server of this.#servers) guard.run(() => void server.close())
    this.#servers = []
  }

  #tellEmpty(): void {
    if (this.#waiting.size + this.#shaking.size === 0) this.#leaving?.resolve()
  }

  #makeServer(): Server {
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: LIMITS.keepAliveDelayMs,
    })
    // A client that the system could not hand over; the next may be. Unheard, the error would end the thread.
    server.on('error', () => {
      if (server.listening) this.#dropped++
    })
    return server.on('connection', (socket: Socket) => {
      const guard = this.#guardOf(socket)
      guard.run(() => this.#accepted(socket, guard))
    })
  }

  /** A fault while one client is served disconnects that client. */
  #guardOf(socket: Socket): FaultGuard {
    return new FaultGuard(error => {
      this.#shaking.delete(socket)
      this.#onFault(error)
      socket.destroy()
      this.#tellEmpty()
    })
  }

  #accepted(socket: Socket, guard: FaultGuard): void {
    // What ends before anybody has it is nobody's.
    socket.on('error', () => socket.destroy())
    const { tls, handshakeTimeoutMs } = this.#spec
    if (tls === null) return this.#arrived(socket)
    if (this.#isClosed || !this.#hasRoomToShake()) return this.#drop(socket)
    this.#shaking.set(socket, performance.now())
    // One that fails is destroyed by then, and nobody has heard of it.
    const shaken = secureAsServer(socket, tls, handshakeTimeoutMs).catch(() => null)
    guard.follow(shaken, secured => {
      this.#shaking.delete(socket)
      if (secured !== null) this.#arrived(secured)
      this.#tellEmpty()
    })
  }

  /**
   * Whether one more may shake hands. Where too many do, the one that has for longest gives way if it is slower than any
   * honest client: or silent ones, which cost nothing, would keep all others out for as long as their time lasts.
   */
  #hasRoomToShake(): boolean {
    if (this.#shaking.size < LIMITS.incomingMax) return true
    const [longest] = this.#shaking
    if (longest === undefined) return true
    const [socket, since] = longest
    if (performance.now() - since < this.#handshakeYieldMs) return false
    this.#shaking.delete(socket)
    this.#drop(socket)
    return true
  }

  #arrived(socket: Socket): void {
    // It may have hung up the moment that its handshake was done: its `close` was told by then, and never again.
    if (socket.destroyed) return
    if (this.#isClosed || this.#waiting.size >= LIMITS.incomingMax) return this.#drop(socket)
    const incoming = this.#next++
    this.#waiting.set(incoming, socket)
    socket.once('close', () => {
      this.#waiting.delete(incoming)
      this.#tellEmpty()
    })
    if (this.#isServing) this.#announce(incoming, socket)
  }

  #drop(socket: Socket): void {
    if (!this.#isClosed) this.#dropped++
    socket.destroy()
  }
}
