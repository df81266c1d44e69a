/**
 * The HTTP API as a function of what it needs. It never listens: `service.ts` does, and tests inject requests. It is
 * one user of the pool among others and has no private access to it.
 *
 * Every request passes, in this order: the Host and Origin check, the token, the content type, the schema.
 */

import type { IncomingMessage } from 'node:http'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { LIMITS } from '../base/limits.ts'
import { registerContinue } from './bytes/expect-continue.ts'
import { registerHeldBytes } from './bytes/held-bytes.ts'
import { silenceMaxMs } from './connection-silence.ts'
import { registerAuth } from './door/auth.ts'
import { ConnectionDoor, registerConnectionDoor } from './door/connection-door.ts'
import { nameOrigin, registerCors, registerPreflights } from './door/cors.ts'
import { ForwardedCallers } from './door/forwarded-caller.ts'
import { type HostPolicy, originForm, registerHostPolicy } from './door/hosts.ts'
import { HttpRequest } from './door/http-request.ts'
import { LiveDoor } from './door/live-door.ts'
import { answerClientError, registerExpectations } from './door/raw-answers.ts'
import { admitRelayed } from './door/relay-pass.ts'
import { loggerOptions, registerRequestLog } from './door/request-log.ts'
import { registerRequestMeter } from './door/request-meter.ts'
import { registerRequestTurns } from './door/request-turns.ts'
import { registerTunnels, type TunnelHandler } from './door/tunnels.ts'
import { UpgradedSockets } from './door/upgraded-sockets.ts'
import { registerUpgrades } from './door/upgrades.ts'
import { registerForwarding } from './forwarding/forwarding.ts'
import { CallerListeners } from './leases/caller-listeners.ts'
import { LeaseTable } from './leases/lease-table.ts'
import type { AppDeps, DoorDeps, ListenerTls } from './ports.ts'
import { invalidField, registerProblems, sendProblem } from './problems.ts'
import { registerRequestRoute } from './request-route.ts'
import { Calls } from './routes/calls.ts'
import { controlRoutes } from './routes/control-routes.ts'
import { dashboardPages } from './routes/dashboard-pages.ts'
import { eventsRoute } from './routes/events-route.ts'
import { exchangeRoute } from './routes/exchange-route.ts'
import { fleetRoute } from './routes/fleet-route.ts'
import { forwardRoutes } from './routes/forward-routes.ts'
import { healthRoutes } from './routes/health-routes.ts'
import { LeaseAcquirer } from './routes/lease-acquirer.ts'
import { leaseRoutes } from './routes/lease-routes.ts'
import { linesRoute } from './routes/lines-route.ts'
import { listenerRoutes } from './routes/listener-routes.ts'
import { metricsRoute } from './routes/metrics-route.ts'
import { openApiDocument, openApiRoutes } from './routes/open-api.ts'
import { operationRoutes } from './routes/operation-routes.ts'
import { parseBodyRoute } from './routes/parse-body-route.ts'
import { parseLeaseRoute } from './routes/parse-routes.ts'
import { readerRoutes } from './routes/reader-routes.ts'
import { reloadRoute } from './routes/reload-route.ts'
import { registerRoutes } from './routes/route-table.ts'
import { COMPILERS } from './routes/serialization.ts'
import { startTlsRoute } from './routes/start-tls-route.ts'
import { streamRoute } from './routes/stream-route.ts'
import { tunnelHandler, tunnelRoutes } from './routes/tunnel-routes.ts'
import { compileValidator } from './routes/validation.ts'
import { writeLinesRoute, writeRoute, writerVerbRoutes } from './routes/writer-routes.ts'

/** Builds the app. The caller makes it listen, and closes it. `door`: for whoever replaces its rules later. */
export function buildApp(deps: AppDeps, door: LiveDoor = new LiveDoor(deps)): FastifyInstance {
  return guardedApp(deps, door, app => registerApi(app, deps))
}

/** What every request passes before it reaches a route. `register`: registers the routes, and says who opens tunnels. */
export function guardedApp(
  deps: DoorDeps,
  door: LiveDoor,
  register: (app: FastifyInstance) => TunnelHandler | null,
): FastifyInstance {
  const app = fastify({
    ...serverOptions(deps, door.policy),
    ...loggerOptions(deps.log),
    schemaController: { compilersFactory: COMPILERS },
  }) as unknown as FastifyInstance
  app.setValidatorCompiler(compileValidator)
  // Each table of routes says which bodies it reads; an unknown route reads none.
  app.removeAllContentTypeParsers()
  registerProblems(app)
  registerRequestRoute(app)
  registerRequestLog(app, deps.accessLog)
  if (deps.durations !== undefined) registerRequestMeter(app, deps.durations)
  registerContinue(app)
  closeWhileDraining(app, deps.isClosing)
  registerRequestTurns(app, deps.relaySecret === undefined ? LIMITS.httpRequestsPerSocketMax : Infinity)
  registerHeldBytes(app)
  const { policy, callers } = door
  registerCors(app, policy)
  registerHostPolicy(app, policy)
  registerPreflights(app, policy)
  registerAuth(app, callers, new ForwardedCallers(deps.fleet ?? null))
  registerExpectations(app)
  const sockets = upgradedSockets(deps)
  registerUpgrades(app, sockets)
  refuseMalformedQueries(app)
  const known = connectionDoor(app, deps)
  const { isClosing } = deps
  const open = register(app)
  registerTunnels(app, { policy, callers, door: known, sockets, isClosing, open })
  return app
}

/** Where other threads accept the connections they bound them, and this app admits what they relay. */
function connectionDoor(
  app: FastifyInstance,
  { connectionsMax, tls, relaySecret }: DoorDeps,
): ConnectionDoor {
  const connections = connectionsMax ?? LIMITS.httpConnectionsMax
  if (relaySecret === undefined) return registerConnectionDoor(app, connections, tls !== false)
  admitRelayed(app.server, relaySecret)
  return new ConnectionDoor(connections, false)
}

function upgradedSockets({ draining }: DoorDeps): UpgradedSockets {
  const sockets = new UpgradedSockets()
  draining?.addEventListener('abort', () => sockets.drain(), { once: true })
  return sockets
}

/** Registers the routes, in the order in which the OpenAPI document lists them; what opens the tunnels of CONNECT. */
function registerApi(app: FastifyInstance, deps: AppDeps): TunnelHandler {
  const { pool, version, now } = deps
  const onFault = (error: unknown): void =>
    app.log.error({ err: error }, 'internal error after a lease ended')
  const table = new LeaseTable({ now, onFault })
  const { fleet } = deps
  const listeners = new CallerListeners({ now, onFault, ...(fleet && { newId: () => fleet.newId() }) })
  if (fleet !== undefined) {
    const knows = { lease: (id: string) => table.knows(id), listener: (id: string) => listeners.knows(id) }
    registerForwarding(app, { ...deps, fleet, knows })
  }
  const calls = new Calls(deps, table)
  const acquirer = new LeaseAcquirer(pool, table)
  app.register(swagger, openApiDocument(version))
  app.register(openApiRoutes)
  app.register(dashboardPages, { folder: deps.dashboard ?? null })
  registerRoutes(app, [
    healthRoutes(calls, pool, fleet ?? null),
    leaseRoutes(calls, acquirer, table, pool),
    readerRoutes(calls),
    writeLinesRoute(calls),
    writerVerbRoutes(calls),
    writeRoute(calls),
    startTlsRoute(calls),
    streamRoute(calls),
    tunnelRoutes(calls, acquirer, pool),
    linesRoute(calls),
    exchangeRoute(calls, pool),
    ...listenerRoutes({ ...deps, calls, table, listeners }),
    parseBodyRoute(calls, pool, (format, options) => pool.checkFormat(format, options, 'input')),
    parseLeaseRoute(calls, pool),
    operationRoutes(pool, deps.httpRows),
    forwardRoutes(pool),
    fleetRoute(deps.fleet),
    ...controlRoutes(calls, pool),
    reloadRoute(calls, deps.reload),
    eventsRoute(calls, pool, deps.draining),
    metricsRoute(deps.metrics),
  ])
  return tunnelHandler(acquirer, pool)
}

function serverOptions(deps: DoorDeps, policy: HostPolicy) {
  const { limits, isClosing, log, headerBytesMax = LIMITS.httpHeaderBytesMax } = deps
  // Between threads nothing is encrypted, and a header is added to what its client sent.
  const isRelayed = deps.relaySecret !== undefined
  const tls = isRelayed ? false : deps.tls
  const http = {
    IncomingMessage: HttpRequest,
    // Node's own refusal has no body; the host policy refuses the request with a problem.
    requireHostHeader: false,
    headersTimeout: LIMITS.httpHeadersTimeoutMs,
    connectionsCheckingInterval: LIMITS.httpCheckIntervalMs,
    maxHeaderSize: isRelayed ? LIMITS.relayHeaderBytesMax : headerBytesMax,
  }
  return {
    bodyLimit: limits.bodyBytes,
    ...(log.requestIds !== undefined && { genReqId: requestIds(log.requestIds) }),
    maxRequestsPerSocket: isRelayed ? 0 : LIMITS.httpRequestsPerSocketMax,
    keepAliveTimeout: LIMITS.httpKeepAliveMs,
    connectionTimeout: silenceMaxMs(limits),
    // Fastify's own bound would cut an upload that flows; instead bodies have a minimum pace (request-body.ts).
    requestTimeout: 0,
    ...(tls ? { https: { ...http, ...tlsOptions(tls) } } : { http }),
    forceCloseConnections: 'idle' as const,
    // While the service drains it answers requests on open connections; new leases are refused with their own code.
    return503OnClosing: false,
    onProtoPoisoning: 'error' as const,
    onConstructorPoisoning: 'error' as const,
    routerOptions: { maxParamLength: LIMITS.httpHeaderBytesMax },
    rewriteUrl: (request: IncomingMessage) => originForm(request),
    // No hook runs for these, so what the hooks say of every answer is said here.
    frameworkErrors: (error: Error, request: unknown, reply: unknown): void => {
      const answer = reply as FastifyReply
      nameOrigin(policy, request as FastifyRequest, answer)
      if (isClosing()) answer.header('connection', 'close')
      sendProblem(error, request as FastifyRequest, answer)
    },
    clientErrorHandler: answerClientError,
  }
}

function requestIds(prefix: string): () => string {
  let next = 1
  return () => `${prefix}-${(next++).toString(36)}`
}

/** A caller without a certificate may connect, as the probes do; `Callers` decides what it may ask for. */
function tlsOptions({ cert, key, clientCa }: ListenerTls) {
  const askForCertificate = clientCa !== undefined && {
    ca: clientCa,
    requestCert: true,
    rejectUnauthorized: false,
  }
  return { cert, key, handshakeTimeout: LIMITS.httpHeadersTimeoutMs, ...askForCertificate }
}

/** A caller that keeps its connection would otherwise not learn that it has to go elsewhere. */
function closeWhileDraining(app: FastifyInstance, isClosing: () => boolean): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing()) reply.header('connection', 'close')
    done()
  })
}

/** An escape that is not UTF-8 would be read as text, and a separator of one byte would become one of three. */
function refuseMalformedQueries(app: FastifyInstance): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const { url = '' } = request.raw
    const start = url.indexOf('?')
    if (start !== -1 && !isDecodable(url.slice(start + 1)))
      return done(
        invalidField(
          'query',
          'contains a percent escape that is not UTF-8; send bytes with separatorEncoding',
        ),
      )
    done()
  })
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
