/**
 * A signal of a caller who has gone: it fires when the connection closes, by when each request on it has its answer or will
 * never have one. There is one for all requests of a connection, and it is made for the first that asks: most wait for
 * nothing that their client could cut short.
 *
 * Fastify's own `request.signal` follows the request's `close`, which Node emits as soon as the body has been read: it
 * would end every wait of a POST before the wait began.
 */
import type { FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'

const signals = new WeakMap<FastifyRequest['raw']['socket'], AbortSignal>()

export function clientSignalOf({ raw: { socket } }: FastifyRequest): AbortSignal {
  const made = signals.get(socket)
  if (made !== undefined) return made
  const controller = new AbortController()
  const gone = (): void => controller.abort(new SockpoolError('ABORTED', 'the client disconnected'))
  if (socket.closed) gone()
  else socket.once('close', gone)
  signals.set(socket, controller.signal)
  return controller.signal
}
