/**
 * A signal for each request, which fires when the client disconnects before it has its answer.
 *
 * Fastify's own `request.signal` follows the request's `close`, which Node emits as soon as the body has been read: it
 * would end every wait of a POST before the wait began. The answer ends early only if its connection does.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { onAnswerEnd } from './answer-end.ts'

const ANSWER = 'clientAnswer'
const SIGNAL = 'clientSignal'

/** It is made for who asks first: most requests wait for nothing that their client could cut short. */
export function clientSignalOf(request: FastifyRequest): AbortSignal {
  const made = request.getDecorator<AbortSignal | null>(SIGNAL)
  if (made !== null) return made
  const answer = request.getDecorator<ServerResponse>(ANSWER)
  const controller = new AbortController()
  request.setDecorator(SIGNAL, controller.signal)
  onAnswerEnd(request.raw, answer, () => {
    if (!answer.writableFinished) controller.abort(new SockpoolError('ABORTED', 'the client disconnected'))
  })
  return controller.signal
}

export function registerClientSignal(app: FastifyInstance): void {
  app.decorateRequest(ANSWER, null)
  app.decorateRequest(SIGNAL, null)
  app.addHook('onRequest', (request, reply, done) => {
    request.setDecorator(ANSWER, reply.raw)
    done()
  })
}
