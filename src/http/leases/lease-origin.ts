/** Where a call comes from, for spans and for the log of a lease that is held for too long: no query, no body. */
import type { FastifyRequest } from 'fastify'
import { traceIdsOf } from '../../tracing/trace-parent.ts'
import { routeOf } from '../request-route.ts'

type Origin = {
  readonly route: string
  readonly traceId?: string
  readonly traceparent?: string
  readonly tracestate?: string
}

/** The trace is that of a `traceparent` header as W3C has it. */
export function leaseOriginOf(request: FastifyRequest): Origin {
  const route = `${request.method} ${routeOf(request).url ?? ''}`
  const { traceparent, tracestate } = request.headers
  const ids = traceIdsOf(traceparent)
  if (ids === null || typeof traceparent !== 'string') return { route }
  const { traceId } = ids
  return { route, traceId, traceparent, ...(typeof tracestate === 'string' && { tracestate }) }
}
