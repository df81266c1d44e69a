/** Sends a wild request over a connection of its own, and reads what comes as the one answer that it should be. */
import { connect } from 'node:net'
import type { HeldAnswer } from './described-answers.ts'
import type { WildRequest } from './wild-requests.ts'

/** Milliseconds after which a caller goes away: streams go on, and what is cut is waited for. */
const PATIENCE_MS = 700

/** Null where nothing whole came before the caller lost its patience, or the service ended the connection. */
export function sendWild(port: number, request: WildRequest): Promise<HeldAnswer | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    const chunks: Buffer[] = []
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answerIn(Buffer.concat(chunks), request.method))
    }
    const timer = setTimeout(done, PATIENCE_MS)
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (answerIn(Buffer.concat(chunks), request.method) !== null) done()
    })
    socket.once('end', done)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return done()
      clearTimeout(timer)
      reject(error)
    })
    socket.write(textOf(request), 'latin1')
    if (request.sending === 'cut') socket.end()
  })
}

function textOf({ method, target, headers, body, sending }: WildRequest): string {
  const isChunked = sending === 'chunked' || sending === 'broken'
  const framing: readonly (readonly [string, string])[] = isChunked
    ? [['transfer-encoding', 'chunked']]
    : body === ''
      ? []
      : [['content-length', String(body.length)]]
  const head = [
    `${method} ${target} HTTP/1.1`,
    ...[...headers, ...framing].map(([name, value]) => `${name}: ${value}`),
  ]
  return `${head.join('\r\n')}\r\n\r\n${sent(body, sending)}`
}

function sent(body: string, sending: WildRequest['sending']): string {
  switch (sending) {
    case 'whole':
      return body
    case 'cut':
      return body.slice(0, body.length / 2)
    case 'chunked':
      return body === '' ? '0\r\n\r\n' : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    case 'broken':
      return `zz\r\n${body}\r\n`
    default:
      return sending satisfies never
  }
}

/** The first answer that is whole and final; null where there is none. */
function answerIn(bytes: Buffer, method: string): HeldAnswer | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return null
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1])
  const rest = bytes.subarray(end + 4)
  if (status === 100) return answerIn(rest, method)
  const headers = new Map(
    lines.map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    }),
  )
  const length = Number(headers.get('content-length') ?? 0)
  if (method === 'HEAD') return { status, headers, bytes: Buffer.alloc(0) }
  return rest.length < length ? null : { status, headers, bytes: rest.subarray(0, length) }
}
