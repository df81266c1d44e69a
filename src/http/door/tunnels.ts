/**
 * CONNECT: it has no route, and its Host header names the target, so no hook of the app sees it. It passes the same
 * checks here, in the same order: the page, the token, the place of its connection, its rate, the drain.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { rawProblem } from '../problems.ts'
import type { Callers } from './auth.ts'
import type { ConnectionDoor } from './connection-door.ts'
import { type HostPolicy, pageFacts } from './hosts.ts'
import type { Principal } from './principal.ts'
import { endWith } from './raw-answers.ts'
import { afterLastAnswer } from './request-turns.ts'
import type { UpgradedSockets } from './upgraded-sockets.ts'
import { type LeftHttp, leaveHttp } from './upgrades.ts'

/** One CONNECT request that has passed the checks. */
export interface TunnelRequest {
  /** What it names: `host:port`, as the client wrote it. */
  readonly authority: string
  readonly principal: Principal
  readonly headers: IncomingMessage['headers']
  /** Fires when its connection breaks before it is taken. A client that only ends its sending side is not gone. */
  readonly signal: AbortSignal
  /** Takes the connection; the caller sends the answer itself. To be called once. Errors: ABORTED. */
  take(): LeftHttp
}

/** Opens the tunnel. What it throws before it has called `take` is answered as a problem; after that it is a fault. */
export type TunnelHandler = (request: TunnelRequest) => Promise<void>

export interface TunnelRules {
  readonly policy: HostPolicy
  readonly callers: Callers
  readonly door: ConnectionDoor
  readonly sockets: UpgradedSockets
  readonly isClosing: () => boolean
  /** Null: no tunnel is opened, and CONNECT is answered 404. */
  readonly open: TunnelHandler | null
}

/** Has the app's server answer CONNECT. */
export function registerTunnels(app: FastifyInstance, rules: TunnelRules): void {
  app.server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    afterLastAnswer(socket, () => {
      const tunnel = new Tunnel(request, socket, head, rules.sockets)
      open(tunnel, request, rules).catch(error => {
        if (tunnel.isTaken) {
          app.log.error({ err: error }, 'internal error in a tunnel')
          socket.destroy()
        } else endWith(socket, problemOf(error))
      })
    })
  })
}

async function open(
  tunnel: Tunnel,
  { headers, socket }: IncomingMessage,
  { policy, callers, door, isClosing, open: handler }: TunnelRules,
): Promise<void> {
  policy.checkPage({ ...pageFacts(headers), host: undefined })
  const principal = callers.identify(proxyToken(headers['proxy-authorization']), socket)
  principal.countRequest()
  door.vouch(socket)
  if (handler === null)
    throw new SockpoolError(
      'NOT_FOUND',
      'this service does not open tunnels; POST /v1/leases leases a connection',
    )
  if (isClosing())
    throw new SockpoolError('DRAINING', 'the service is shutting down and opens no new tunnels')
  await handler(tunnel.asked(principal))
}

class Tunnel {
  readonly #request: IncomingMessage
  readonly #socket: Duplex
  readonly #head: Buffer
  readonly #sockets: UpgradedSockets
  readonly #gone = new AbortController()
  #isTaken = false

  constructor(request: IncomingMessage, socket: Duplex, head: Buffer, sockets: UpgradedSockets) {
    this.#request = request
    this.#socket = socket
    this.#head = head
    this.#sockets = sockets
    socket.once('close', () => this.#gone.abort(new SockpoolError('ABORTED', 'the client disconnected')))
  }

  get isTaken(): boolean {
    return this.#isTaken
  }

  asked(principal: Principal): TunnelRequest {
    const { url = '', headers } = this.#request
    return { authority: url, principal, headers, signal: this.#gone.signal, take: () => this.#take() }
  }

  #take(): LeftHttp {
    if (this.#socket.destroyed) throw new SockpoolError('ABORTED', 'the client disconnected')
    this.#isTaken = true
    return leaveHttp(this.#socket, this.#head, this.#sockets)
  }
}

/** Where the token is missing, a proxy's client is asked for it as proxies ask. */
function problemOf(error: unknown): string {
  const isUnknown = error instanceof SockpoolError && error.code === 'UNAUTHORIZED'
  const proxy = {
    status: 407,
    headers: { 'proxy-authenticate': 'Bearer realm="sockpool", Basic realm="sockpool"' },
  }
  return rawProblem(error, isUnknown ? proxy : {})
}

/** Command-line tools send Basic, with the token as the password, or, where that is empty, as the user. */
function proxyToken(header: string | undefined): string | undefined {
  const basic = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '')?.[1]
  if (basic === undefined) return header
  const text = Buffer.from(basic, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  return `Bearer ${password || user}`
}
