/**
 * Writes one JSON line to stderr for each request. A line names the route, never the URL: a path may hold a lease id,
 * which is a credential, and a query string holds separators and offsets of other people's protocols. A short hash of the
 * id lets an operator follow a lease.
 */
import { createHash } from 'node:crypto'
import { type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { stderrLog } from '../../base/stderr-log.ts'
import type { DoorDeps } from '../ports.ts'
import { isOpenRoute } from './auth.ts'
import { principalOf } from './principal.ts'

/** Characters of a lease's hash: enough to tell 10,000 leases apart, and too few to find the id. */
const HASH_CHARS = 12

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
  }
}

const elsewhere = new WeakSet<FastifyRequest>()

/** Another app answers the request, and writes its line. */
export function logsElsewhere(request: FastifyRequest): void {
  elsewhere.add(request)
}

/** Logs each request once, when it is done. */
export function registerRequestLog(app: FastifyInstance): void {
  app.addHook('onResponse', (request, reply, done) => {
    if (elsewhere.has(request)) return done()
    const line = { ...describeRequest(request), status: reply.statusCode, ms: Math.round(reply.elapsedTime) }
    request.log.info(line, 'request')
    done()
  })
}

/** The name under which a lease may appear in logs. */
export function leaseHash(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, HASH_CHARS)
}

function describeRequest(request: FastifyRequest): Record<string, unknown> {
  const route = request.routeOptions.url
  const { id } = (request.params ?? {}) as { id?: unknown }
  const isAuthenticated = !isOpenRoute(request) && principalOf(request) !== null
  return {
    method: request.method,
    route: route ?? 'none',
    ...(isAuthenticated && { tenant: principalOf(request).tenant }),
    ...(typeof id === 'string' && { lease: leaseHash(id) }),
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
