/**
 * Counts how long requests take, by method, route and status. The route is its pattern, never the path: that may hold the id
 * of a lease, and would make a kind of each.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { activeTraceId } from '../../base/active-trace.ts'
import type { SharedDurations } from '../../channel/shared-durations.ts'
import { recordedTraceOf } from '../../tracing/trace-parent.ts'
import { routeOf } from '../request-route.ts'
import { isLoggedElsewhere } from './request-log.ts'

/** A client may send any other. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'])

/** What the app answers itself; a request that leaves HTTP is none of these. */
export function registerRequestMeter(app: FastifyInstance, durations: SharedDurations): void {
  app.addHook('onResponse', (request, reply, done) => {
    if (!isLoggedElsewhere(request))
      durations.observe(kindOf(request, reply.statusCode), reply.elapsedTime, traceOf(request))
    done()
  })
}

function kindOf(request: FastifyRequest, status: number): string {
  const { method } = request
  return `${METHODS.has(method) ? method : 'other'} ${routeOf(request).url ?? 'none'} ${status}`
}

/** Where no SDK runs here, the caller may still have one, and its trace a name. */
function traceOf({ headers: { traceparent } }: FastifyRequest): string | null {
  return activeTraceId() ?? recordedTraceOf(traceparent)
}
