/** The routes that answer anyone: probes know neither a token nor under which name they reach the service. */
import type { FastifyRequest } from 'fastify'

const OPEN_ROUTES: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz'])

export function isOpenRoute(request: FastifyRequest): boolean {
  return OPEN_ROUTES.has(request.routeOptions.url)
}
