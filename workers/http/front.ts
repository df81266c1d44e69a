/**
 * What a thread's HTTP server does with each request: its own app serves it, or the main thread's app does. Both take
 * their turn in the order in which the connection has sent them.
 */
import { once } from 'node:events'
import { Agent, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { MessagePort } from 'node:worker_threads'
import { LIMITS } from '../../src/base/limits.ts'
import { certificateNames, isVerified } from '../../src/http/door/certificate-names.ts'
import type { ConnectionDoor } from '../../src/http/door/connection-door.ts'
import type { LiveDoor } from '../../src/http/door/live-door.ts'
import { RELAY_HEADER, relayValue } from '../../src/http/door/relay-pass.ts'
import { afterLastAnswer, takeTurn } from '../../src/http/door/request-turns.ts'
import { refuse, relayRequest } from './relayed-request.ts'
import { tunnel } from './tunnel.ts'

export type FrontDeps = {
  readonly server: Server
  readonly door: Pick<LiveDoor, 'callers'>
  readonly connections: ConnectionDoor
  readonly relay: { readonly path: string; readonly secret: string }
  readonly isServedHere: (request: IncomingMessage) => boolean
  /** A port whose other end the main thread takes as a connection that leaves HTTP. */
  readonly openTunnel: () => MessagePort
  /** Before each request: hears what the main thread has told last. */
  readonly onRequest: () => void
}

/** Longer names stand for no token. */
const NAME_CHARS_MAX = 64
const PROBES = /^\/(?:livez|readyz)(?:\?|$)/

export class Front {
  readonly #deps: FrontDeps
  readonly #agent: Agent
  /** Connections that have left HTTP. */
  readonly #tunnels = new Set<Duplex>()

  /** `connectionsMax`: of this thread; as many requests may be relayed at once. */
  constructor(deps: FrontDeps, connectionsMax: number) {
    this.#deps = deps
    this.#agent = new Agent({
      keepAlive: true,
      timeout: LIMITS.relayIdleMs,
      maxSockets: connectionsMax + LIMITS.httpPipelinedMax,
      scheduling: 'lifo',
    })
  }

  /** Takes the requests of the server from now on. */
  stand(): void {
    const { server, isServedHere, onRequest } = this.#deps
    const emit = server.emit.bind(server)
    server.emit = (event: string, ...parts: unknown[]): boolean => {
      switch (event) {
        case 'request':
        case 'checkContinue': {
          const [request, response] = parts as [IncomingMessage, ServerResponse]
          onRequest()
          if (isServedHere(request) || !this.#mayStay(request)) return emit(event, ...parts)
          this.#inTurn(request, response)
          return true
        }
        case 'connect':
        case 'upgrade': {
          const [request, socket, head] = parts as [IncomingMessage, Duplex, Buffer]
          onRequest()
          this.#tunnel(request, socket, head)
          return true
        }
        default:
          return emit(event, ...parts)
      }
    }
  }

  /** Has the main thread answer; `body`: what has been read of the request already, which is counted too. */
  relay(request: IncomingMessage, response: ServerResponse, body: Buffer | null, isLast: boolean): void {
    const onUnreachable = (error: Error): void => refuse({ request, response, isLast }, error)
    const pass = this.#pass(request, body !== null)
    const { path } = this.#deps.relay
    try {
      relayRequest({ request, response, body, isLast, onUnreachable }, { agent: this.#agent, path, pass })
    } catch (error) {
      onUnreachable(error instanceof Error ? error : new Error(String(error)))
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Resolves once no connection is left that has left HTTP. */
  async tunnelsEnded(): Promise<void> {
    await Promise.all([...this.#tunnels].map(async socket => await once(socket, 'close')))
  }

  cutTunnels(): void {
    for (const socket of this.#tunnels) socket.destroy()
  }

  #inTurn(request: IncomingMessage, response: ServerResponse): void {
    takeTurn(request, response, this.#deps.server.timeout, place =>
      this.relay(request, response, null, place >= LIMITS.httpRequestsPerSocketMax),
    )
  }

  /** A caller whose connection has no place is refused by this thread's own app, which finds the same. */
  #mayStay(request: IncomingMessage): boolean {
    if (PROBES.test(request.url ?? '')) return true
    try {
      this.#deps.door.callers.identify(request.headers.authorization, request.socket)
    } catch {
      // The main thread says so, and the connection stays unknown.
      return true
    }
    return this.#vouch(request.socket)
  }

  #vouch(socket: object): boolean {
    try {
      this.#deps.connections.vouch(socket)
      return true
    } catch {
      return false
    }
  }

  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { openTunnel } = this.#deps
    const pass = this.#pass(request, false)
    const admit = (): boolean => this.#vouch(request.socket)
    if ('setTimeout' in socket) (socket as Socket).setTimeout(0)
    this.#tunnels.add(socket)
    socket.once('close', () => this.#tunnels.delete(socket))
    socket.on('error', () => socket.destroy())
    afterLastAnswer(socket, () => tunnel({ request, socket, head }, { openTunnel, pass, admit }))
  }

  #pass(request: IncomingMessage, isCounted: boolean): [name: string, value: string] {
    const { socket, httpVersion } = request
    const { localAddress, localPort, remoteAddress, remotePort, remoteFamily } = socket
    const names = certificateNames(socket).filter(name => name.length <= NAME_CHARS_MAX)
    const addresses = { localAddress, localPort, remoteAddress, remotePort, remoteFamily }
    const peer = { ...addresses, isVerified: isVerified(socket), names }
    return [RELAY_HEADER, relayValue(this.#deps.relay.secret, { ...peer, httpVersion, isCounted })]
  }
}
