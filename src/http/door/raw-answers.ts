/**
 * Answers that no route gives, written to the bare socket: to bytes that are not a request, and to what asks for a tunnel.
 * After such an answer a silent client cannot hold the connection open.
 */
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { lingerAtEnd, lingerClose } from '../lingering-close.ts'
import { invalidField, rawProblem } from '../problems.ts'
import { afterAnswers } from './request-turns.ts'

/** Answers what is no request, after the answers to the requests that came before it on this connection. */
export function answerClientError(error: { readonly code?: string }, socket: Duplex): void {
  const { code = '' } = error
  switch (true) {
    case code === 'HPE_CLOSED_CONNECTION':
      // The client had said that its last request was the last; what it sends after that must not cost it the answer.
      return lingerAtEnd(socket)
    case code === 'ERR_HTTP_REQUEST_TIMEOUT':
      return afterAnswers(socket, () => endWith(socket, rawProblem(clientError(code))))
    case code.startsWith('HPE_'):
      // Its sender may be in the midst of a long body.
      return afterAnswers(socket, () => endWith(socket, rawProblem(clientError(code)), LIMITS.httpLingerMs))
    default:
      // The TLS handshake failed or the connection broke: nobody could read an answer.
      socket.destroy()
  }
}

/** Answers a request whose `Expect` is none that HTTP knows. */
export function registerExpectations(app: FastifyInstance): void {
  app.server.on('checkExpectation', (_request, reply) => {
    const text = rawProblem(invalidField('expect', 'must be 100-continue'))
    endWith(reply.socket, text)
  })
}

/** Sends the last bytes of a connection, and leaves the client a while to read them before it cuts the connection. */
export function endWith(
  socket: Duplex | null,
  text: string,
  lingerMs: number = LIMITS.httpRefusalLingerMs,
): void {
  if (socket === null) return
  if (!socket.writable) return void socket.destroy()
  socket.write(text)
  lingerClose(socket, lingerMs)
}

function clientError(code: string): SockpoolError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new SockpoolError(
      'HEADERS_TOO_LARGE',
      `the request headers exceed ${LIMITS.httpHeaderBytesMax} bytes`,
    )
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new SockpoolError('REQUEST_TIMEOUT', 'the client took too long to send the request headers')
  return invalidField('request', 'cannot be read as HTTP/1.1; send a complete, well-formed request')
}
