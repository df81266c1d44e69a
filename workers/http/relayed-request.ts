/**
 * One request that the main thread's app answers: its head, its body and its end go there, and the answer comes back, as
 * both come. No body is gathered, and whoever is slow slows the other side down. Where the client goes, the main thread
 * sees its connection close at once; where the main thread cuts the connection, the client's is cut.
 */
import { type Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { exhausted } from '../../src/base/descriptors.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { endTurns } from '../../src/http/door/request-turns.ts'
import { lingerAtEnd } from '../../src/http/lingering-close.ts'
import { toProblem } from '../../src/http/problems.ts'

export type RelayTarget = {
  readonly agent: Agent
  /** The main thread's socket. */
  readonly path: string
  /** The header that proves whence the request comes: name and value. */
  readonly pass: readonly [name: string, value: string]
}

export type RelayOrder = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The whole body, where it has been read; null: it comes. */
  readonly body: Buffer | null
  /** The answer is the last of its connection. */
  readonly isLast: boolean
  /** Nothing could be sent to the main thread. */
  readonly onUnreachable: (error: Error) => void
}

/** What concerns one hop alone. The server and the client of each hop say these for themselves. */
const OF_ONE_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection'])

export function relayRequest(order: RelayOrder, target: RelayTarget): void {
  const { request: from, response } = order
  const upstream = request({
    agent: target.agent,
    socketPath: target.path,
    method: from.method ?? 'GET',
    path: from.url ?? '/',
    setHost: false,
  })
  setHeaders(upstream, order, target.pass)
  upstream.on('continue', () => response.writeContinue())
  upstream.on('response', answer => relayAnswer(order, upstream, answer))
  upstream.on('error', (error: Error) => {
    if (response.headersSent || response.destroyed || upstream.reusedSocket) return void from.socket.destroy()
    order.onUnreachable(error)
  })
  response.once('close', () => {
    if (!response.writableFinished) upstream.destroy()
  })
  sendBody(order, upstream)
}

/** Answers for the main thread, which could not be asked. The connection goes on, but for an upload that nobody reads. */
export function refuse(
  { request, response, isLast }: Pick<RelayOrder, 'request' | 'response' | 'isLast'>,
  cause: Error,
): void {
  const { status, headers, body } = toProblem(
    exhausted('the thread that has the leases cannot be asked', cause),
  )
  const text = JSON.stringify(body)
  const isUnread = hasBody(request) && !request.complete
  if (isLast || isUnread) {
    response.setHeader('connection', 'close')
    endTurns(request.socket)
    lingerAtEnd(request.socket)
  }
  const own = { 'content-type': 'application/problem+json', 'content-length': Buffer.byteLength(text) }
  response.writeHead(status, { ...headers, ...own })
  response.end(text)
  request.resume()
}

function setHeaders(upstream: ClientRequest, { request: from, body }: RelayOrder, pass: RelayTarget['pass']) {
  const [passName] = pass
  const found = new Map<string, { readonly name: string; readonly values: string[] }>()
  const { rawHeaders } = from
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    const key = name.toLowerCase()
    if (OF_ONE_HOP.has(key) || key === passName) continue
    if (body !== null && (key === 'transfer-encoding' || key === 'content-length' || key === 'expect'))
      continue
    const known = found.get(key)
    if (known) known.values.push(value)
    else found.set(key, { name, values: [value] })
  }
  // Node sends trailers, and what announces them, behind chunks alone.
  if (!found.has('transfer-encoding')) found.delete('trailer')
  for (const { name, values } of found.values())
    upstream.setHeader(name, values.length === 1 && values[0] !== undefined ? values[0] : values)
  if (asksForUpgrade(from)) upstream.setHeader('connection', 'upgrade')
  if (body !== null) upstream.setHeader('content-length', body.length)
  upstream.setHeader(...pass)
}

function asksForUpgrade({ headers: { connection = '' } }: IncomingMessage): boolean {
  return /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(connection)
}

function sendBody({ request: from, body }: RelayOrder, upstream: ClientRequest): void {
  if (body !== null) return void upstream.end(body)
  if (!hasBody(from)) {
    // Else Node would say of a POST that its body has no bytes, and its client has said nothing.
    upstream.useChunkedEncodingByDefault = false
    return void upstream.end()
  }
  upstream.flushHeaders()
  from.on('data', (chunk: Buffer) => {
    if (!upstream.destroyed && !upstream.write(chunk)) from.pause()
  })
  upstream.on('drain', () => from.resume())
  from.once('end', () => {
    if (upstream.destroyed) return
    if (from.headers['transfer-encoding'] !== undefined) upstream.addTrailers(from.trailers as never)
    upstream.end()
  })
  from.once('close', () => {
    if (!from.complete) upstream.destroy()
  })
  from.on('error', () => upstream.destroy())
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function relayAnswer(order: RelayOrder, upstream: ClientRequest, answer: IncomingMessage): void {
  const { request: from, response, isLast } = order
  const { statusCode = 502, statusMessage = '', rawHeaders, headers } = answer
  const ends = isLast || /(?:^|,)\s*close\s*(?:,|$)/i.test(headers.connection ?? '')
  const own: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    const key = name.toLowerCase()
    if (!OF_ONE_HOP.has(key) && key !== 'transfer-encoding') own.push(name, value)
  }
  if (ends) {
    own.push('connection', 'close')
    endTurns(from.socket)
    // The client may be in the midst of its body, of which nobody reads the rest.
    if (order.body === null && hasBody(from) && !from.complete) lingerAtEnd(from.socket)
  }
  response.sendDate = false
  response.writeHead(statusCode, statusMessage, own)
  if (Number(headers['content-length'] ?? 0) >= LIMITS.heldBytesMin) cutWhenStalled(from, response)
  // An answer whose bytes are not there yet still has its head.
  const flush = setImmediate(() => response.flushHeaders())
  answer.on('data', (chunk: Buffer) => {
    if (!response.write(chunk)) answer.pause()
  })
  response.on('drain', () => answer.resume())
  answer.once('end', () => {
    clearImmediate(flush)
    if (Object.keys(answer.trailers).length > 0) response.addTrailers(answer.trailers as never)
    response.end()
    if (ends && !upstream.writableEnded) upstream.destroy()
  })
  answer.once('close', () => {
    clearImmediate(flush)
    if (!answer.complete) from.socket.destroy()
  })
  answer.on('error', () => from.socket.destroy())
}

/** As the app does with its own answers. */
function cutWhenStalled({ socket }: IncomingMessage, response: ServerResponse): void {
  response.setTimeout(LIMITS.httpAnswerStallMs, () => void socket.destroy())
}
