/**
 * Lets pages of the origins in `http.origins` read the answers (the Fetch standard's CORS protocol). Such an origin is named on
 * every answer, also on problems and on what is streamed; to any other page nothing is said. Cookies play no part: who calls
 * is known by a token, which a page must have.
 *
 * @fastify/cors would not do: it answers each OPTIONS, from whomever, and says nothing on answers that pass no hook.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { LIMITS } from '../../base/limits.ts'
import type { HostPolicy } from './hosts.ts'

/** Headers of answers that a page may read, beside those that every page may. */
export const EXPOSED_HEADERS: readonly string[] = [
  'sockpool-offset',
  'sockpool-eof',
  'sockpool-end',
  'sockpool-reused',
  'location',
  'retry-after',
]

const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'Sockpool-Redirect',
  'traceparent',
]
const ALLOWED_METHODS = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE']

/** To be registered before whatever may refuse a request: a page must be able to read why. */
export function registerCors(app: FastifyInstance, policy: HostPolicy): void {
  app.addHook('onRequest', (request, reply, done) => {
    nameOrigin(policy, request, reply)
    done()
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    // What a route says of its own replaces what was set before.
    const vary = reply.getHeader('vary')
    if (policy.namesOrigins && vary !== 'origin') reply.header('vary', `${String(vary)}, origin`)
    done()
  })
}

/**
 * Answers the questions that browsers ask ahead of a request, which carry no token. To be registered behind the check of Host
 * and Origin, and before that of the token.
 */
export function registerPreflights(app: FastifyInstance, policy: HostPolicy): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers } = request
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
    if (!isPreflight || !policy.lists(headers.origin)) return done()
    reply
      .code(204)
      .headers({
        'access-control-allow-methods': ALLOWED_METHODS.join(', '),
        'access-control-allow-headers': ALLOWED_HEADERS.join(', '),
        'access-control-max-age': String(LIMITS.corsMaxAgeSeconds),
      })
      .send()
  })
}

/**
 * Says on an answer whose page may read it. The headers are set on the bare answer: so they are also on those that are not
 * sent by Fastify.
 */
export function nameOrigin(policy: HostPolicy, { headers }: FastifyRequest, { raw }: FastifyReply): void {
  if (!policy.namesOrigins) return
  raw.setHeader('vary', 'origin')
  const { origin } = headers
  if (origin === undefined || !policy.lists(origin)) return
  raw.setHeader('access-control-allow-origin', origin)
  raw.setHeader('access-control-expose-headers', EXPOSED_HEADERS.join(', '))
}
