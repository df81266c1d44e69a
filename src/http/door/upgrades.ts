/**
 * The one place that hears of requests which leave HTTP behind: the server's `upgrade` and `connect` events.
 *
 *   Upgrade: websocket, tcp ──► the routes, by way of every hook ──► `takeUpgrade` in the route that switches
 *   CONNECT ──► the same checks, without a route: its Host header names the target ──► the handler
 *   Upgrade: anything else ──► an ordinary request (HttpRequest)
 *
 * Until somebody takes the socket, whatever is thrown is answered as a problem on it, and ends it. Whoever has taken it
 * owns it up to its end; the service only tells when it drains, and cuts what is left when it closes.
 */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { lingerClose } from '../lingering-close.ts'
import { invalidField } from '../problems.ts'
import { routeOf } from '../request-route.ts'
import { type UpgradeKind, wantedUpgrade } from './http-request.ts'
import { logUpgraded } from './request-log.ts'
import { afterLastAnswer } from './request-turns.ts'
import type { UpgradedSockets } from './upgraded-sockets.ts'

/** A connection that has left HTTP. */
export interface LeftHttp {
  readonly socket: Duplex
  /** What the client sent right behind its request: the first bytes of what comes. */
  readonly head: Buffer
  /** Calls `drain` once, when the service begins to drain; never where it had begun before. */
  whenDraining(drain: () => void): void
}

/** What a row of a route table says in its `config`, so that requests for another protocol get as far as its `run`. */
export interface UpgradeConfig {
  readonly upgrade: UpgradeKind
}

type Socket = FastifyRequest['raw']['socket']

interface Pending {
  readonly socket: Duplex
  readonly head: Buffer
  readonly response: ServerResponse
  readonly sockets: UpgradedSockets
}

/** Requests whose socket nobody has taken yet. */
const pending = new WeakMap<IncomingMessage, Pending>()

/** Whether the request asks for this protocol, and its socket was not taken. */
export function isUpgrade({ raw }: FastifyRequest, kind: UpgradeKind): boolean {
  return pending.has(raw) && wantedUpgrade(raw.headers) === kind
}

/** Errors: UPGRADE_REQUIRED for a request that asks for no such protocol, or whose socket was taken. */
export function assertUpgrade(request: FastifyRequest, reply: FastifyReply, kind: UpgradeKind): void {
  if (isUpgrade(request, kind)) return
  reply.header('upgrade', kind)
  const message = `send this request with "Connection: Upgrade" and "Upgrade: ${kind}"`
  throw new SockpoolError('UPGRADE_REQUIRED', message)
}

/**
 * Takes the connection of a request that a route answers by switching protocols. The caller sends the 101 itself; up to
 * this call whatever the route throws is an ordinary answer.
 *
 * Errors: UPGRADE_REQUIRED, ABORTED where the client has gone.
 */
export function takeUpgrade(request: FastifyRequest, reply: FastifyReply, kind: UpgradeKind): LeftHttp {
  const { raw } = request
  assertUpgrade(request, reply, kind)
  const found = pending.get(raw)
  if (found === undefined || found.socket.destroyed)
    throw new SockpoolError('ABORTED', 'the client disconnected')
  const { socket, head, response, sockets } = found
  pending.delete(raw)
  reply.hijack()
  response.detachSocket(socket as Socket)
  const startedMs = performance.now()
  socket.once('close', () => logUpgraded(request, Math.round(performance.now() - startedMs)))
  return leaveHttp(socket, head, sockets)
}

/** What the app's server and its hooks make of a request for another protocol. */
export function registerUpgrades(app: FastifyInstance, sockets: UpgradedSockets): void {
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    afterLastAnswer(socket, () => answerByRoute(app, request, { socket, head, sockets }))
  })
  app.addHook('onRequest', (request, reply, done) => {
    const wanted = wantedUpgrade(request.raw.headers)
    const { upgrade } = routeOf(request).config as Partial<UpgradeConfig>
    if (wanted === null || upgrade !== undefined) return done()
    reply.header('connection', 'close')
    done(invalidField('upgrade', 'this route does not switch protocols; send the request without Upgrade'))
  })
  app.addHook('preClose', done => {
    sockets.close()
    done()
  })
}

/** Node takes no more notice of the socket: from here on it is `owner`'s. */
export function leaveHttp(socket: Duplex, head: Buffer, sockets: UpgradedSockets): LeftHttp {
  // The silence that HTTP allows a connection is no bound of what comes now.
  if ('setTimeout' in socket) (socket as Socket).setTimeout(0)
  sockets.add(socket)
  return { socket, head, whenDraining: drain => sockets.whenDraining(socket, drain) }
}

/** Runs the request through the app like any other. An answer of the app, which can only be a refusal, is the last. */
function answerByRoute(
  app: FastifyInstance,
  request: IncomingMessage,
  { socket, head, sockets }: Omit<Pending, 'response'>,
): void {
  if (!socket.writable) return void socket.destroy()
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as Socket)
  response.once('finish', () => {
    response.detachSocket(socket as Socket)
    lingerClose(socket, LIMITS.httpRefusalLingerMs)
  })
  pending.set(request, { socket, head, response, sockets })
  app.routing(request, response)
}
