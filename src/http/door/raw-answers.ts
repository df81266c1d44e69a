/**
 * Answers outside the routes, on the bare socket: to bytes that are no request, and to requests to become something
 * else than HTTP. None leaves a connection behind that a silent client could hold open.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { invalidField, rawProblem } from '../problems.ts'
import type { Callers } from './auth.ts'
import { type HostPolicy, pageFacts } from './hosts.ts'

/** Protocols that a client really wants; others, such as the `h2c` that Java's client offers, may be passed over. */
const UPGRADES: ReadonlySet<string> = new Set(['websocket', 'tcp'])

/** Answers a connection that failed before it was a request. */
export function answerClientError(error: { readonly code?: string }, socket: Duplex): void {
  const { code = '' } = error
  if (code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return endWith(socket, rawProblem(clientError(code)))
  // A TLS handshake that failed, a connection that broke: nobody could read an answer.
  socket.destroy()
}

/** Refuses what would end HTTP on a connection: CONNECT, `Upgrade: websocket`, `Upgrade: tcp`; and `Expect`. */
export function registerRefusals(app: FastifyInstance, policy: HostPolicy, callers: Callers): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { connection = '', upgrade = '' } = request.raw.headers
    const isAsked = /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection)
    const wanted = upgrade.split(',').map(name => name.trim().toLowerCase())
    if (!isAsked || !wanted.some(name => UPGRADES.has(name))) return done()
    reply.header('connection', 'close')
    done(invalidField('upgrade', 'this route does not change protocols'))
  })
  // CONNECT passes no hook: its Host is the target, and its token is the proxy's.
  app.server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    try {
      policy.checkPage({ ...pageFacts(request.headers), host: undefined })
      callers.identify(proxyToken(request.headers['proxy-authorization']), request.socket)
      endWith(socket, rawProblem(new SockpoolError('NOT_FOUND', 'this service opens no tunnels')))
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
    const text = rawProblem(invalidField('expect', 'only 100-continue is understood'))
    endWith(reply.socket, text)
  })
}

/** Basic carries the token as the password, as command-line tools send it. */
function proxyToken(header: string | undefined): string | undefined {
  const basic = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '')?.[1]
  if (basic === undefined) return header
  const text = Buffer.from(basic, 'base64').toString('utf8')
  return `Bearer ${text.slice(text.indexOf(':') + 1)}`
}

/** Sends the last bytes of a connection, and gives its client a moment to read them before it is cut. */
function endWith(socket: Duplex | null, text: string): void {
  if (socket === null) return
  if (!socket.writable) return void socket.destroy()
  socket.on('error', () => socket.destroy())
  const timer = setTimeout(() => socket.destroy(), LIMITS.httpRefusalLingerMs)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroy())
  socket.end(text)
  socket.resume()
}

function clientError(code: string): SockpoolError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new SockpoolError('HEADERS_TOO_LARGE', 'the request headers are too large')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new SockpoolError('REQUEST_TIMEOUT', 'the request headers came too slowly')
  return invalidField('request', 'is no whole HTTP/1.1 request')
}
