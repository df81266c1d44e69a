/**
 * `Expect: 100-continue`. The client is told to go on when somebody begins to read its body. A request that is refused
 * before that gets its answer alone, and its client need not send the body at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'

const waiting = new WeakMap<object, ServerResponse>()

/** Without this Node tells every client to go on, before anybody has looked at its request. */
export function registerContinue(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response)
    app.server.emit('request', request, response)
  })
}

/** Asks the client for the body of a request, where it waits to be asked. */
export function askForBody(request: object): void {
  const response = waiting.get(request)
  if (response === undefined) return
  waiting.delete(request)
  response.writeContinue()
}
