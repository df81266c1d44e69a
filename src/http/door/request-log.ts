/**
 * Writes one JSON line to stderr for each request that `http.accessLog` asks for. A line names the route, never the URL: a path may hold a lease id,
 * which is a credential, and a query string holds separators and offsets of other people's protocols. A short hash of the
 * id lets an operator follow a lease.
 */
import type { IncomingMessage } from 'node:http'
import { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { leaseHash } from '../../base/lease-hash.ts'
import { LIMITS } from '../../base/limits.ts'
import { stderrLog } from '../../base/stderr-log.ts'
import { traceIdsOf } from '../../tracing/trace-parent.ts'
import type { DoorDeps } from '../ports.ts'
import { routeOf } from '../request-route.ts'
import { needsToken } from './auth.ts'
import { principalOf } from './principal.ts'
import { RequestLogger } from './request-logger.ts'

export { leaseHash }

/** Fastify's own lines about requests name URLs, so they are off; these options shape what else it logs. */
export function loggerOptions(log: DoorDeps['log']): {
  logger: {
    level: string
    stream: { write(line: string): void }
    base: null
    serializers: {
      req(request: FastifyRequest): Record<string, unknown>
      res(reply: { statusCode?: number }): { statusCode?: number | string }
      err(error: unknown): { type: string; message: string; stack: string }
    }
  }
  logController: LogController
  childLoggerFactory: typeof requestLogger
} {
  return {
    logger: {
      level: log.level,
      stream: log.stream ?? stderrLog(),
      base: null,
      serializers: {
        req: describeRequest,
        res: ({ statusCode }) => (statusCode === undefined ? {} : { statusCode }),
        err: describeError,
      },
    },
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: requestLogger,
  }
}

/** The logger of a request: its lines name the caller's trace and span, where the request says which. */
function requestLogger(
  this: unknown,
  log: FastifyBaseLogger,
  bindings: Record<string, unknown>,
  options: object,
  { headers }: Pick<IncomingMessage, 'headers'>,
): FastifyBaseLogger {
  return new RequestLogger(() => {
    const ids = traceIdsOf(headers['traceparent'])
    return log.child(ids === null ? bindings : { ...bindings, ...ids }, options)
  })
}

const elsewhere = new WeakSet<FastifyRequest>()

/** Another app answers the request, and writes its line. */
export function logsElsewhere(request: FastifyRequest): void {
  elsewhere.add(request)
}

/** Whether it does. */
export function isLoggedElsewhere(request: FastifyRequest): boolean {
  return elsewhere.has(request)
}

const forwardedTo = new WeakMap<FastifyRequest, string>()

/** Another instance answers the request; its log has a line of its own. */
export function notesForwarding(request: FastifyRequest, name: string): void {
  forwardedTo.set(request, name)
}

/** The name under which the app keeps what is to be logged. */
const ACCESS_LOG = 'accessLog'

/** Logs each request that is to be logged once, when it is done. */
export function registerRequestLog(app: FastifyInstance, accessLog: DoorDeps['accessLog']): void {
  app.decorate(ACCESS_LOG, accessLog)
  app.addHook('onResponse', (request, reply, done) => {
    if (elsewhere.has(request)) return done()
    const which = accessLog()
    const isFailure = reply.statusCode >= 500 || isSlow(request, reply.elapsedTime)
    if (which === 'all' || (which === 'errors' && isFailure)) {
      const facts = { status: reply.statusCode, ms: Math.round(reply.elapsedTime) }
      request.log[isFailure ? 'warn' : 'info']({ ...describeRequest(request), ...facts }, 'request')
    }
    done()
  })
}

/**
 * Routes that take as long as a peer, a client or a lease does: all operations on a lease, accepts, streams, tunnels, and what
 * an operator has the service wait for.
 */
const WAITING_ROUTES =
  /^\/v1\/(?:leases\/:\w+\/|listeners\/:\w+\/accept$|targets\/:\w+\/|workers\/:\w+\/drain$|events$|connect\/)/

const unhurried = new WeakSet<FastifyRequest>()

/** The answer takes as long as its client does, which its route does not tell. */
export function takesItsTime(request: FastifyRequest): void {
  unhurried.add(request)
}

function isSlow(request: FastifyRequest, elapsedMs: number): boolean {
  if (elapsedMs <= LIMITS.slowRequestMs || unhurried.has(request)) return false
  return !WAITING_ROUTES.test(routeOf(request).url ?? '')
}

/** Logs a request that left HTTP, when its connection is closed, where all are logged: no failure shows by then. */
export function logUpgraded(request: FastifyRequest, ms: number): void {
  if (request.server.getDecorator<DoorDeps['accessLog']>(ACCESS_LOG)() !== 'all') return
  request.log.info({ ...describeRequest(request), status: 101, ms }, 'request')
}

function describeRequest(request: FastifyRequest): Record<string, unknown> {
  const route = routeOf(request).url
  const { id } = (request.params ?? {}) as { id?: unknown }
  const owner = forwardedTo.get(request)
  const isAuthenticated = needsToken(request) && principalOf(request) !== null
  return {
    method: request.method,
    route: route ?? 'none',
    ...(isAuthenticated && { tenant: principalOf(request).tenant }),
    ...(typeof id === 'string' && { lease: leaseHash(id) }),
    ...(owner !== undefined && { forwardedTo: owner }),
  }
}

/**
 * A fault by its name and frames. The message of a foreign error may quote payload, so only messages that this project
 * wrote are kept.
 */
function describeError(error: unknown): { type: string; message: string; stack: string } {
  if (!(error instanceof Error)) return { type: typeof error, message: '', stack: '' }
  const { code, name, stack = '', cause } = error as Error & { code?: unknown }
  const frames = stack.split('\n').filter(line => /^\s+at /.test(line))
  if (cause !== undefined) frames.push(`caused by ${describeError(cause).type}`)
  return {
    type: typeof code === 'string' ? `${name} ${code}` : name,
    message: isOurMessage(error) ? error.message : '',
    stack: frames.join('\n'),
  }
}

/** A SockpoolError with a cause may repeat the words of that foreign error. */
function isOurMessage(error: Error): boolean {
  return error instanceof SockpoolError
    ? error.cause === undefined
    : error.message.startsWith('invariant broken')
}
