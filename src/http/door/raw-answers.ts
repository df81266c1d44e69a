/**
 * Answers that no route gives, written to the bare socket: to bytes that are not a request, and to requests that ask for
 * another protocol. After such an answer a silent client cannot hold the connection open.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { lingerAtEnd, lingerClose } from '../lingering-close.ts'
import { invalidField, rawProblem } from '../problems.ts'
import type { Callers } from './auth.ts'
import { type HostPolicy, pageFacts } from './hosts.ts'
import { afterAnswers } from './request-turns.ts'

/** Protocols that a client insists on. The service ignores others, such as the `h2c` that Java's client offers. */
const UPGRADES: ReadonlySet<string> = new Set(['websocket', 'tcp'])

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

/** Refuses what would end HTTP on a connection: CONNECT, `Upgrade: websocket`, `Upgrade: tcp`; and `Expect`. */
export function registerRefusals(app: FastifyInstance, policy: HostPolicy, callers: Callers): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { connection = '', upgrade = '' } = request.raw.headers
    const isAsked = /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection)
    const wanted = upgrade.split(',').map(name => name.trim().toLowerCase())
    if (!isAsked || !wanted.some(name => UPGRADES.has(name))) return done()
    reply.header('connection', 'close')
    done(invalidField('upgrade', 'this service does not switch protocols; send the request without Upgrade'))
  })
  // CONNECT passes no hook: its Host header names the target, and its token is in Proxy-Authorization.
  app.server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    try {
      policy.checkPage({ ...pageFacts(request.headers), host: undefined })
      callers.identify(proxyToken(request.headers['proxy-authorization']), request.socket)
      endWith(
        socket,
        rawProblem(
          new SockpoolError(
            'NOT_FOUND',
            'this service does not open tunnels; POST /v1/leases leases a connection',
          ),
        ),
      )
    } catch (error) {
      const isUnknown = error instanceof SockpoolError && error.code === 'UNAUTHORIZED'
      const proxy = {
        status: 407,
        headers: { 'proxy-authenticate': 'Bearer realm="sockpool", Basic realm="sockpool"' },
      }
      endWith(socket, rawProblem(error, isUnknown ? proxy : {}))
    }
  })
  app.server.on('checkExpectation', (_request, reply) => {
    const text = rawProblem(invalidField('expect', 'must be 100-continue'))
    endWith(reply.socket, text)
  })
}

/** Command-line tools send Basic, with the token as the password. */
function proxyToken(header: string | undefined): string | undefined {
  const basic = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '')?.[1]
  if (basic === undefined) return header
  const text = Buffer.from(basic, 'base64').toString('utf8')
  return `Bearer ${text.slice(text.indexOf(':') + 1)}`
}

/** Sends the last bytes of a connection, and leaves the client a while to read them before it cuts the connection. */
function endWith(socket: Duplex | null, text: string, lingerMs: number = LIMITS.httpRefusalLingerMs): void {
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
