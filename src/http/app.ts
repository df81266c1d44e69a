/**
 * The HTTP API as a function of its parts. It never listens: `service.ts` does, and tests inject requests. It is
 * one user of the pool among others, with no private door.
 *
 * Every request passes, in this order: the Host and Origin check, the token, the content type, the schema.
 */
import type { IncomingMessage } from 'node:http'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { LIMITS } from '../base/limits.ts'
import { registerClientSignal } from './bytes/client-signal.ts'
import { Callers, registerAuth } from './door/auth.ts'
import { HostPolicy, originForm, registerHostPolicy } from './door/hosts.ts'
import { answerClientError, registerRefusals } from './door/raw-answers.ts'
import { loggerOptions, registerRequestLog } from './door/request-log.ts'
import { LeaseTable } from './leases/lease-table.ts'
import type { AppParts, ListenerTls } from './parts.ts'
import { invalidField, registerProblems, sendProblem } from './problems.ts'
import { exchangeRoute } from './routes/exchange-route.ts'
import { healthRoutes } from './routes/health-routes.ts'
import { leaseRoutes } from './routes/lease-routes.ts'
import { openApiDocument, openApiRoute } from './routes/open-api.ts'
import { operationRoutes } from './routes/operation-routes.ts'
import { parseRoutes } from './routes/parse-routes.ts'
import { readerRoutes } from './routes/reader-routes.ts'
import { startTlsRoute } from './routes/start-tls-route.ts'
import { compileValidator } from './routes/validation.ts'
import { writerRoutes } from './routes/writer-routes.ts'

/** Builds the app. The caller listens, and closes it. */
export function buildApp(parts: AppParts): FastifyInstance {
  const app = fastify({
    ...serverOptions(parts),
    ...loggerOptions(parts.log),
  }) as unknown as FastifyInstance
  app.setValidatorCompiler(compileValidator)
  // Each plugin says which bodies it reads; an unknown route reads none.
  app.removeAllContentTypeParsers()
  registerProblems(app)
  registerRequestLog(app)
  registerClientSignal(app)
  boundRequests(app)
  const policy = new HostPolicy({ ...parts, tls: parts.tls !== false })
  const callers = new Callers(parts)
  registerHostPolicy(app, policy)
  registerAuth(app, callers)
  registerRefusals(app, policy, callers)
  refuseMalformedQueries(app)
  app.server.maxConnections = LIMITS.httpConnectionsMax

  const table = new LeaseTable(parts.now ? { now: parts.now } : {})
  app.register(swagger, openApiDocument(parts.version))
  app.register(openApiRoute)
  app.register(healthRoutes(parts))
  app.register(leaseRoutes(parts, table))
  app.register(readerRoutes(parts, table))
  app.register(writerRoutes(parts, table))
  app.register(startTlsRoute(parts, table))
  app.register(exchangeRoute(parts))
  app.register(parseRoutes(parts, table))
  app.register(operationRoutes(parts, table))
  return app
}

function serverOptions({ limits, tls }: AppParts) {
  const http = {
    headersTimeout: LIMITS.httpHeadersTimeoutMs,
    connectionsCheckingInterval: LIMITS.httpCheckIntervalMs,
    maxHeaderSize: LIMITS.httpHeaderBytesMax,
  }
  return {
    bodyLimit: limits.bodyBytes,
    maxRequestsPerSocket: LIMITS.httpRequestsPerSocketMax,
    keepAliveTimeout: LIMITS.httpKeepAliveMs,
    // Silence in both directions: longer than any wait that a request may ask for.
    connectionTimeout: Math.max(limits.operationTimeoutMs, LIMITS.leaseWaitMsMax) + LIMITS.bodyWaitMs,
    // Fastify's own bound would cut an upload that flows; bodies have a minimum pace instead (request-body.ts).
    requestTimeout: 0,
    ...(tls ? { https: { ...http, ...tlsOptions(tls) } } : { http }),
    forceCloseConnections: 'idle' as const,
    // A request on an open connection is answered while the service drains; new leases are refused by name.
    return503OnClosing: false,
    onProtoPoisoning: 'error' as const,
    onConstructorPoisoning: 'error' as const,
    routerOptions: { maxParamLength: LIMITS.httpHeaderBytesMax },
    rewriteUrl: (request: IncomingMessage) => originForm(request),
    frameworkErrors: (error: Error, request: unknown, reply: unknown): void => {
      sendProblem(error, request as FastifyRequest, reply as FastifyReply)
    },
    clientErrorHandler: answerClientError,
  }
}

/** A caller without a certificate may connect, as the probes do; what it may ask for is up to `Callers`. */
function tlsOptions({ cert, key, clientCa }: ListenerTls) {
  const asked = clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: false }
  return { cert, key, handshakeTimeout: LIMITS.httpHeadersTimeoutMs, ...asked }
}

/**
 * Node announces the end of a connection at its last request and then answers 503, but never ends it; so the last
 * answer ends it here, after all that were asked for before it.
 */
function boundRequests(app: FastifyInstance): void {
  const counts = new WeakMap<object, number>()
  app.addHook('onRequest', (request, reply, done) => {
    const count = (counts.get(request.raw.socket) ?? 0) + 1
    counts.set(request.raw.socket, count)
    if (count >= LIMITS.httpRequestsPerSocketMax) reply.header('connection', 'close')
    done()
  })
}

/** An escape that is not UTF-8 would be taken as text, and a separator of one byte become one of three. */
function refuseMalformedQueries(app: FastifyInstance): void {
  app.addHook('preValidation', (request, _reply, done) => {
    const { url = '' } = request.raw
    const start = url.indexOf('?')
    if (start !== -1 && !isDecodable(url.slice(start + 1)))
      return done(
        invalidField('query', 'holds a percent escape that is not UTF-8; use separatorEncoding for bytes'),
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
