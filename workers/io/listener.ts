/**
 * One listener in its I/O worker: the servers that are bound, and the connections that were accepted and wait. Each
 * is announced to the pool's thread, which answers with a channel for it or refuses it; node accepts whatever comes,
 * so what waits is bounded here, and what comes beyond is destroyed.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { LIMITS } from '../../src/base/limits.ts'
import type { NameResolver } from '../../src/egress/resolver.ts'
import type { BoundAddress, ListenSpec } from '../../src/threads/protocol.ts'
import { bindAll, listenError } from './bind.ts'
import { SocketFile } from './socket-file.ts'
import { tlsServerOptions } from './tls-server.ts'

export class Listener {
  readonly #spec: ListenSpec
  readonly #announce: (incoming: number) => void
  #servers: Server[] = []
  #file: SocketFile | null = null
  /** Accepted, TLS included where it is spoken, and neither adopted nor refused. */
  readonly #waiting = new Map<number, Socket>()
  /** Accepted, before or in their handshake. */
  readonly #shaking = new Set<Socket>()
  #next = 1
  #isServing = false
  #isClosed = false

  constructor(spec: ListenSpec, announce: (incoming: number) => void) {
    this.#spec = spec
    this.#announce = announce
  }

  /** Binds. Errors: LISTEN_FAILED, DNS_FAILED; nothing stays bound. */
  async open(resolver: NameResolver): Promise<readonly BoundAddress[]> {
    const { where, backlog } = this.#spec
    try {
      if (where.kind === 'unix') {
        const server = this.#makeServer()
        this.#file = await SocketFile.listen(server, where.path, backlog)
        this.#servers = [server]
        return [{ address: where.path, port: 0, family: 'unix' }]
      }
      const bound = await bindAll(where.hosts, where.port, this.#spec, () => this.#makeServer(), resolver)
      this.#servers = bound.map(({ server }) => server)
      return bound.map(({ address }) => address)
    } catch (error) {
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
    for (const incoming of this.#waiting.keys()) this.#announce(incoming)
  }

  /** An announced connection, which is the caller's from now on; undefined where it has ended meanwhile. */
  take(incoming: number): Socket | undefined {
    const socket = this.#waiting.get(incoming)
    this.#waiting.delete(incoming)
    return socket
  }

  refuse(incoming: number): void {
    this.take(incoming)?.destroy()
  }

  /** Stops listening; what was not adopted is destroyed. */
  close(): void {
    this.#isClosed = true
    this.#end()
  }

  #end(): void {
    for (const server of this.#servers) server.close()
    this.#servers = []
    const { where } = this.#spec
    if (where.kind === 'unix' && where.cleanup) this.#file?.remove()
    this.#file = null
    for (const socket of [...this.#waiting.values(), ...this.#shaking]) socket.destroy()
    this.#waiting.clear()
  }

  #makeServer(): Server {
    const { tls, handshakeTimeoutMs } = this.#spec
    const common = {
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: LIMITS.keepAliveDelayMs,
    }
    const server = tls
      ? createTlsServer({ ...common, ...tlsServerOptions(tls), handshakeTimeout: handshakeTimeoutMs })
      : createServer(common)
    if (!tls) return server.on('connection', socket => this.#accepted(socket))
    return server
      .on('connection', socket => this.#shakes(socket))
      .on('secureConnection', socket => this.#accepted(socket))
      .on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy())
  }

  /** A client that connects and says nothing occupies no more than its place among so many. */
  #shakes(socket: Socket): void {
    if (this.#shaking.size >= LIMITS.incomingMax) {
      socket.destroy()
      return
    }
    this.#shaking.add(socket)
    socket.once('close', () => this.#shaking.delete(socket))
  }

  #accepted(socket: Socket): void {
    if (this.#isClosed || this.#waiting.size >= LIMITS.incomingMax) {
      socket.destroy()
      return
    }
    const incoming = this.#next++
    this.#waiting.set(incoming, socket)
    // What ends before anybody has it is nobody's.
    socket.on('error', () => {})
    socket.once('close', () => this.#waiting.delete(incoming))
    if (this.#isServing) this.#announce(incoming)
  }
}
