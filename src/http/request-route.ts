/** The route that a request has matched. Fastify puts its options together anew whenever they are asked for. */
import type { FastifyInstance, FastifyRequest } from 'fastify'

type RequestRoute = FastifyRequest['routeOptions']

const ROUTE = 'requestRoute'

export function registerRequestRoute(app: FastifyInstance): void {
  app.decorateRequest(ROUTE, null)
}

/** As the request's own `routeOptions`, made once. */
export function routeOf(request: FastifyRequest): RequestRoute {
  const known = request.getDecorator<RequestRoute | null>(ROUTE)
  if (known !== null) return known
  const found = request.routeOptions
  request.setDecorator(ROUTE, found)
  return found
}
