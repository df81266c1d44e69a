/** Where a lease was asked for, as the log tells it of one that is held for too long: no query, no body. */
import type { FastifyRequest } from 'fastify'

type Origin = { readonly route: string; readonly traceId?: string }

/** The trace is that of a `traceparent` header as W3C has it. */
export function leaseOriginOf({ method, routeOptions, headers }: FastifyRequest): Origin {
  const route = `${method} ${routeOptions.url ?? ''}`
  const { traceparent } = headers
  const traceId =
    typeof traceparent === 'string' ? /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] : undefined
  return traceId === undefined ? { route } : { route, traceId }
}
