/**
 * How many HTTP connections there may be, and whose make room. A connection is unknown until a request on it has shown
 * whose it is; probes stay unknown. While there is room all may stay. Once there is none, the unknown one that came first
 * gives way to the newcomer, so that nobody without a token can keep callers or probes out. The known ones leave some
 * places to the unknown: a probe, or a caller's first request, always finds one.
 */
import type { Server as HttpServer } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { needsToken } from './auth.ts'

/** The part of a connection that is used here. */
interface DoorSocket {
  readonly localAddress?: string | undefined
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  once(event: 'close', listener: () => void): unknown
  destroy(): unknown
}

export class ConnectionDoor {
  readonly #max: number
  readonly #knownMax: number
  /** In the order in which they came. */
  readonly #unknown = new Set<DoorSocket>()
  readonly #known = new Set<DoorSocket>()
  /** The TCP connection below a TLS one; and those whose handshake is under way, by their two addresses. */
  readonly #below = new WeakMap<object, DoorSocket>()
  readonly #shaking: Map<string, DoorSocket> | null
  #evicted = 0

  constructor(max: number, speaksTls: boolean) {
    this.#max = max
    this.#shaking = speaksTls ? new Map() : null
    this.#knownMax = Math.max(1, max - Math.min(LIMITS.httpUnknownPlaces, Math.ceil(max / 4)))
  }

  /** A connection has come: one that has shown nothing yet makes room for the next where this was the last place. */
  arrived(socket: DoorSocket): void {
    const address = this.#shaking ? addressOf(socket) : ''
    this.#unknown.add(socket)
    this.#shaking?.set(address, socket)
    socket.once('close', () => {
      if (this.#shaking?.get(address) === socket) this.#shaking.delete(address)
      this.#unknown.delete(socket)
      this.#known.delete(socket)
    })
    if (this.#unknown.size + this.#known.size < this.#max) return
    const [first] = this.#unknown
    if (first === undefined || first === socket) return
    this.#unknown.delete(first)
    this.#evicted++
    first.destroy()
  }

  /** TLS is spoken on a connection that had come. */
  secured(secure: DoorSocket): void {
    const address = addressOf(secure)
    const socket = this.#shaking?.get(address)
    this.#shaking?.delete(address)
    if (socket) this.#below.set(secure, socket)
  }

  /** A request has shown whose connection it is. Errors: QUEUE_FULL where the known ones have all their places. */
  vouch(socket: object): void {
    const known = this.#below.get(socket) ?? (socket as DoorSocket)
    if (!this.#unknown.has(known)) return
    if (this.#known.size >= this.#knownMax)
      throw new SockpoolError(
        'QUEUE_FULL',
        `${this.#knownMax} HTTP connections of callers are open, as many as this service may have; close idle ones, or raise its limit of open files`,
      )
    this.#unknown.delete(known)
    this.#known.add(known)
  }

  stats(): { readonly unknown: number; readonly known: number; readonly evicted: number } {
    return { unknown: this.#unknown.size, known: this.#known.size, evicted: this.#evicted }
  }
}

const DOOR = 'connectionDoor'

/** The door of an app that has one. */
export function connectionDoorOf(app: FastifyInstance): ConnectionDoor {
  return app.getDecorator<ConnectionDoor>(DOOR)
}

/** Bounds the app's connections; to be registered behind the authentication, whose word it takes. */
export function registerConnectionDoor(
  app: FastifyInstance,
  max: number,
  speaksTls: boolean,
): ConnectionDoor {
  const door = new ConnectionDoor(max, speaksTls)
  app.decorate(DOOR, door)
  const server: HttpServer = app.server
  // What comes in the same turn as too many others before them is closed by Node itself.
  server.maxConnections = max
  server.on('connection', (socket: DoorSocket) => door.arrived(socket))
  server.on('secureConnection', (socket: DoorSocket) => door.secured(socket))
  // Node ends the process where nobody hears that the system could not accept a connection. What keeps the server from
  // listening at all is told to who made it listen.
  server.once('listening', () => server.on('error', acceptLog(app)))
  app.addHook('onRequest', (request, reply, done) => {
    if (!needsToken(request)) return done()
    try {
      door.vouch(request.raw.socket)
    } catch (error) {
      // Its caller comes again, and by then perhaps to a free place.
      reply.header('connection', 'close')
      throw error
    }
    done()
  })
  return door
}

/** Logs accepts that failed: the first, and of those that follow it soon, none. */
function acceptLog(app: FastifyInstance): (error: Error) => void {
  let quietUntilMs = 0
  return error => {
    const nowMs = performance.now()
    if (nowMs < quietUntilMs) return
    quietUntilMs = nowMs + LIMITS.sweepIntervalMs
    app.log.error({ err: error }, 'connections could not be accepted')
  }
}

function addressOf({ localAddress, remoteAddress, remotePort }: DoorSocket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}
