/**
 * The app of a thread that serves HTTP beside others: the same door, and the routes that hold no lease between two
 * requests. Whoever makes it listen relays all other requests to the thread that has the leases.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { configureInput, FORMAT_NAMES } from '../parse/formats/registry.ts'
import { guardedApp } from './app.ts'
import type { LiveDoor } from './door/live-door.ts'
import { logsElsewhere } from './door/request-log.ts'
import { LeaseTable } from './leases/lease-table.ts'
import type { DoorDeps, PoolPort } from './ports.ts'
import { Calls } from './routes/calls.ts'
import { exchangeRoute } from './routes/exchange-route.ts'
import { parseBodyRoute } from './routes/parse-body-route.ts'
import { registerRoutes } from './routes/route-table.ts'

export type ThreadAppDeps = DoorDeps & {
  readonly pool: Pick<PoolPort, 'exchange' | 'parseToText' | 'parsePart'>
  /** Has the thread of the leases answer a request whose body has been read, and which was counted. */
  readonly relay: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void
}

/** Builds the app. The caller makes it listen, and closes it. `door`: for whoever replaces its rules later. */
export function buildThreadApp(deps: ThreadAppDeps, door: LiveDoor): FastifyInstance {
  return guardedApp(deps, door, app => registerOwn(app, deps))
}

/** Tunnels never come here: whoever makes the app listen relays them. */
function registerOwn(app: FastifyInstance, deps: ThreadAppDeps): null {
  relayDescribed(app, deps.relay)
  const onFault = (error: unknown): void => app.log.error({ err: error }, 'internal error')
  // No lease is ever put into this table: a call on one is relayed.
  const calls = new Calls(deps, new LeaseTable({ now: deps.now, onFault }))
  registerRoutes(app, [exchangeRoute(calls, deps.pool), parseBodyRoute(calls, deps.pool, checkInput)])
  return null
}

/** Formats of modules are known to the thread of the leases alone, which judges them when the body has come. */
function checkInput(format: string, options: object): void {
  if (FORMAT_NAMES.includes(format)) configureInput(format, options)
}

/** Whether this app has the route. The path is compared as it was sent: another spelling of it is relayed. */
export function isServedHere({ method, url = '' }: IncomingMessage): boolean {
  return method === 'POST' && /^\/v1\/(?:exchange|parse\/[a-z0-9-]+)(?:\?|$)/.test(url)
}

/** How many targets one token's callers describe is counted on the thread of the leases alone. */
function relayDescribed(app: FastifyInstance, relay: ThreadAppDeps['relay']): void {
  app.addHook('preHandler', (request, reply, done) => {
    const { body } = request
    if (!isRecord(body) || !isRecord(body['target'])) return done()
    reply.hijack()
    logsElsewhere(request)
    relay(request.raw, reply.raw, Buffer.from(JSON.stringify(body)))
  })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Buffer.isBuffer(value)
}
