/** One request to a running service, over TCP (`http://…`), TLS (`https://…`) or a unix socket (`unix:PATH`). */

import { type IncomingMessage, request as requestPlain } from 'node:http'
import { type RequestOptions, request as requestTls } from 'node:https'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { urlToHttpOptions } from 'node:url'
import { errorText } from '../base/error-text.ts'
import { LIMITS } from '../base/limits.ts'
import { unixPathFault } from '../base/unix-path.ts'
import type { CallTls } from './call-tls.ts'
import { CommandError } from './command-error.ts'

export type Call = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Path and query. */
  readonly path: string
  readonly token?: string | undefined
  /** Sent as JSON. */
  readonly json?: unknown
  readonly accept?: string
  /** For `https://…` alone; default: the platform's authorities and no certificate. */
  readonly tls?: CallTls
  /** Milliseconds for the whole call; default 60 000. */
  readonly timeoutMs?: number | undefined
  /** Gives the call up. */
  readonly signal?: AbortSignal | undefined
  /** Hears of each piece of the body that the connection has taken, in bytes, and before the first how many there are. */
  readonly sending?: BodyWatch | undefined
}

export type BodyWatch = { begin(total: number): void; sent(bytes: number): void }

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

const CALL_TIMEOUT_MS = 60_000

/** What OpenSSL says of a certificate whose authority it does not know. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/**
 * Calls the service at `url`; any status is an answer, and a redirect is not followed.
 *
 * Errors: CommandError with exit code 1 where none answers, 2 where `url` is no URL.
 */
export async function call(url: string, request: Call): Promise<Answer> {
  const { method, path, token, json, accept, tls, sending } = request
  const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json))
  const options: RequestOptions = {
    ...placeOf(url, path),
    ...tls,
    method,
    headers: {
      accept: accept ?? '*/*',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': body.length,
      }),
    },
    signal: signalOf(request),
    agent: false,
  }
  try {
    const incoming = await send(url.startsWith('https:'), options, pieces(body, sending))
    const headers = Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    )
    return { status: incoming.statusCode ?? 0, headers: new Headers(headers), body: await buffer(incoming) }
  } catch (error) {
    throw unreachable(url, error)
  }
}

/** What a problem answer says, in one line. */
export function describeProblem({ status, body }: Answer): string {
  try {
    const problem: unknown = JSON.parse(body.toString('utf8'))
    if (typeof problem === 'object' && problem !== null) {
      const { detail, title, code } = problem as Partial<Record<'detail' | 'title' | 'code', unknown>>
      return `${String(detail ?? title ?? 'the service refused')} (${status} ${String(code ?? '')})`.replace(
        ' )',
        ')',
      )
    }
  } catch {
    // Not JSON: something other than sockpool answers there, and the status is all there is to tell.
  }
  return `the service answered with status ${status}`
}

export function placeOf(url: string, path: string): RequestOptions {
  if (url.startsWith('unix:')) {
    const socketPath = url.slice('unix:'.length)
    const fault = unixPathFault(socketPath)
    if (fault !== null) throw new CommandError(2, `--url: the path ${fault}`)
    return { socketPath, path }
  }
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new CommandError(
      2,
      `--url must be http://HOST:PORT, https://HOST:PORT or unix:PATH, not ${JSON.stringify(url)}`,
    )
  return urlToHttpOptions(new URL(path, url))
}

function signalOf({ timeoutMs = CALL_TIMEOUT_MS, signal }: Call): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs)
  return signal === undefined ? timeout : AbortSignal.any([timeout, signal])
}

/** The body in pieces, of which the next is asked for when there is room for it. */
function* pieces(body: Buffer | undefined, sending: BodyWatch | undefined): Generator<Buffer> {
  if (body === undefined) return
  sending?.begin(body.length)
  for (let at = 0; at < body.length; at += LIMITS.callPieceBytes) {
    const piece = body.subarray(at, at + LIMITS.callPieceBytes)
    yield piece
    sending?.sent(piece.length)
  }
}

function send(isTls: boolean, options: RequestOptions, body: Iterable<Buffer>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = isTls ? requestTls(options) : requestPlain(options)
    // An answer may come before the body is sent whole; what breaks behind it is no news.
    outgoing.on('error', reject)
    outgoing.once('response', resolve)
    Readable.from(body, { highWaterMark: 1 }).pipe(outgoing)
  })
}

export function unreachable(url: string, error: unknown): CommandError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const reason = errorText(cause)
  return new CommandError(1, `cannot reach ${url}: ${reason}\n${nextStep(code)}`, { cause: error })
}

function nextStep(code: string): string {
  if (UNKNOWN_AUTHORITY.has(code)) return 'Name the authority that signed its certificate with --ca FILE.'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'Name the service in --url by a name that its certificate has.'
  return 'Is "sockpool serve" running there? Name another address with --url.'
}
