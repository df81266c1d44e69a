/**
 * The metrics alone, for a listener of their own: whoever reaches it needs no token, so the operator says where that is. The
 * Host check stands before it as before the API, or a page in a browser of this machine could read them.
 */
import fastify, { type FastifyInstance } from 'fastify'
import { LIMITS } from '../base/limits.ts'
import { type HostPolicy, registerHostPolicy } from './door/hosts.ts'
import { loggerOptions } from './door/request-log.ts'
import type { DoorDeps, MetricsPort } from './ports.ts'
import { registerProblems } from './problems.ts'
import { registerRequestRoute } from './request-route.ts'
import { sendMetrics } from './routes/metrics-route.ts'

export type MetricsAppDeps = Pick<DoorDeps, 'log'> & {
  readonly policy: HostPolicy
  readonly metrics: MetricsPort
}

/** Builds the app. The caller makes it listen, and closes it. */
export function buildMetricsApp({ policy, metrics, log }: MetricsAppDeps): FastifyInstance {
  const app = fastify({
    http: {
      headersTimeout: LIMITS.httpHeadersTimeoutMs,
      connectionsCheckingInterval: LIMITS.httpCheckIntervalMs,
      maxHeaderSize: LIMITS.httpHeaderBytesMax,
      requireHostHeader: false,
    },
    // A scrape has no body: the whole request is its head.
    requestTimeout: LIMITS.httpHeadersTimeoutMs,
    keepAliveTimeout: LIMITS.httpKeepAliveMs,
    forceCloseConnections: 'idle',
    ...loggerOptions(log),
  }) as unknown as FastifyInstance
  app.server.maxConnections = LIMITS.metricsConnectionsMax
  app.removeAllContentTypeParsers()
  registerProblems(app)
  registerRequestRoute(app)
  registerHostPolicy(app, policy)
  app.route({
    method: 'GET',
    url: '/metrics',
    handler: (request, reply) => sendMetrics(metrics, request, reply),
  })
  return app
}
