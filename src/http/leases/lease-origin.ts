/** Where a lease was asked for, as the log tells it of one that is held for too long: no query, no body. */
import type { FastifyRequest } from 'fastify'
import { routeOf } from '../request-route.ts'

type Origin = { readonly route: string; readonly traceId?: string }

/** The trace is that of a `traceparent` header as W3C has it. */
export function leaseOriginOf(request: FastifyRequest): Origin {
  const route = `${request.method} ${routeOf(request).url ?? ''}`
  const { traceparent } = request.headers
  const traceId =
    typeof traceparent === 'string' ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] : undefined
  return traceId === undefined ? { route } : { route, traceId }
}
