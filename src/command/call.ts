/** One request to a running service, over TCP (`http://…`) or a unix socket (`unix:PATH`). */
import { request } from 'node:http'
import { CommandError } from './command-error.ts'

export type Call = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Path and query. */
  readonly path: string
  readonly token?: string | undefined
  /** Sent as JSON. */
  readonly json?: unknown
  readonly accept?: string
  /** Milliseconds for the whole call; default 60 000. */
  readonly timeoutMs?: number
}

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

const CALL_TIMEOUT_MS = 60_000

/**
 * Calls the service at `url`; any status is an answer.
 *
 * Errors: CommandError with exit code 1 where none answers, 2 where `url` is no URL.
 */
export async function call(
  url: string,
  { method, path, token, json, accept, timeoutMs }: Call,
): Promise<Answer> {
  const headers: Record<string, string> = {
    accept: accept ?? '*/*',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(json !== undefined && { 'content-type': 'application/json' }),
  }
  const body = json === undefined ? undefined : JSON.stringify(json)
  const signal = AbortSignal.timeout(timeoutMs ?? CALL_TIMEOUT_MS)
  if (url.startsWith('unix:'))
    return await reached(url, callUnix(url.slice(5), { method, path, headers, body, signal }))
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new CommandError(
      2,
      `--url must be http://HOST:PORT, https://HOST:PORT or unix:PATH, not ${JSON.stringify(url)}`,
    )
  const init = { method, headers, signal, redirect: 'error', ...(body !== undefined && { body }) } as const
  return await reached(url, callTcp(new URL(path, url), init))
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

async function callTcp(url: URL, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  return {
    status: response.status,
    headers: response.headers,
    body: Buffer.from(await response.arrayBuffer()),
  }
}

// fetch has no way to name a unix socket.
function callUnix(
  socketPath: string,
  call: {
    readonly method: string
    readonly path: string
    readonly headers: Record<string, string>
    readonly body: string | undefined
    readonly signal: AbortSignal
  },
): Promise<Answer> {
  const { method, path, headers, body, signal } = call
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath,
      method,
      path,
      headers: { host: 'localhost', ...headers },
      signal,
      agent: false,
    })
    outgoing.once('error', reject)
    outgoing.once('response', incoming => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.once('error', reject)
      incoming.once('end', () => {
        const received = new Headers()
        for (const [name, values] of Object.entries(incoming.headersDistinct))
          for (const value of values ?? []) received.append(name, value)
        resolve({ status: incoming.statusCode ?? 0, headers: received, body: Buffer.concat(chunks) })
      })
    })
    outgoing.end(body)
  })
}

async function reached(url: string, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const reason =
      cause instanceof Error
        ? cause.message || ('code' in cause ? String(cause.code) : cause.name)
        : String(cause)
    const message = `cannot reach ${url}: ${reason}\nIs "sockpool serve" running there? Name another address with --url.`
    throw new CommandError(1, message, { cause: error })
  }
}
