/**
 * A signal for each request, which fires when the client disconnects before it has its answer.
 *
 * Fastify's own `request.signal` follows the request's `close`, which Node emits as soon as the body has been read: it
 * would end every wait of a POST before the wait began. The response closes early only if its connection does.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'

const DECORATOR = 'clientSignal'

export function clientSignalOf(request: FastifyRequest): AbortSignal {
  return request.getDecorator<AbortSignal>(DECORATOR)
}

export function registerClientSignal(app: FastifyInstance): void {
  app.decorateRequest(DECORATOR, null)
  app.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController()
    request.setDecorator(DECORATOR, controller.signal)
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished)
        controller.abort(new SockpoolError('ABORTED', 'the client disconnected'))
    })
    done()
  })
}
