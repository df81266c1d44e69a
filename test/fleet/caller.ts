/** A caller over HTTP of all instances of a fleet: one call at a time to any of them, and what came of it. */
import { Agent, type IncomingMessage, request } from 'node:http'
import type { Instance } from './instance.ts'

/** A whole answer, or the reason why there is none. */
export type Outcome =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers: IncomingMessage['headers']
      readonly bytes: Buffer
    }
  | { readonly kind: 'cut'; readonly code: string }

export type Ask = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly json?: unknown
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds of patience; default: PATIENCE_MS. */
  readonly patienceMs?: number
}

/** Why a call did not do what it was to do. */
export type Failure = {
  /** The code of the problem with its reason, or what the system says of the connection. */
  readonly code: string
  /** Whether the same call may be made again, to any instance, where a repeat does no harm. */
  readonly isRetryable: boolean
  /** Whether nothing of the call can have been heard. */
  readonly isUnheard: boolean
  readonly detail: string
}

/** Longer than any wait or read that a play asks for. */
const PATIENCE_MS = 15_000

export class Caller {
  readonly #token: string
  readonly #agent = new Agent({ keepAlive: true })

  constructor(token: string) {
    this.#token = token
  }

  get authorization(): string {
    return `Bearer ${this.#token}`
  }

  ask(instance: Instance, { method, path, json, body, headers, patienceMs }: Ask): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    const sent = json === undefined ? body : JSON.stringify(json)
    const asked = request(
      {
        ...{ host: '127.0.0.1', port: instance.port, method, path, agent: this.#agent },
        headers: {
          authorization: this.authorization,
          accept: 'application/json',
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...(json === undefined && body !== undefined && { 'content-type': 'application/octet-stream' }),
          'content-length': Buffer.byteLength(sent ?? ''),
          ...headers,
        },
      },
      response => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', () => {})
        response.on('close', () => {
          const { complete, statusCode: status = 0, headers: fields } = response
          const bytes = Buffer.concat(pieces)
          settle(
            complete ? { kind: 'answer', status, headers: fields, bytes } : { kind: 'cut', code: 'half' },
          )
        })
      },
    )
    const timer = setTimeout(() => {
      settle({ kind: 'cut', code: 'timeout' })
      asked.destroy()
    }, patienceMs ?? PATIENCE_MS)
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer)
      resolve(outcome)
    }
    asked.on('error', (error: NodeJS.ErrnoException) =>
      settle({ kind: 'cut', code: error.code ?? error.message }),
    )
    asked.end(sent)
    return promise
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** Null where it is an answer of the 2xx. */
export function failureOf(outcome: Outcome): Failure | null {
  if (outcome.kind === 'cut') {
    const { code } = outcome
    return { code, isRetryable: true, isUnheard: code === 'ECONNREFUSED', detail: code }
  }
  const { status, bytes } = outcome
  if (status >= 200 && status < 300) return null
  const text = bytes.toString('utf8')
  const { code = `status ${status}`, reason, retryable = false, bytesAccepted } = problemIn(text)
  return {
    code: reason === undefined ? code : `${code}: ${reason}`,
    // The way to the owner may break at any byte, as the way to this instance may.
    isRetryable: retryable || code === 'instance_unreachable',
    isUnheard: retryable && (bytesAccepted ?? 0) === 0,
    detail: text.slice(0, 300),
  }
}

/** What an answer of the 2xx says in JSON. */
export function jsonIn<Said>(outcome: Outcome): Said {
  if (outcome.kind === 'cut') throw new Error(`there is no answer: ${outcome.code}`)
  return JSON.parse(outcome.bytes.toString('utf8')) as Said
}

type ProblemFields = {
  readonly code?: string
  readonly reason?: string
  readonly retryable?: boolean
  readonly bytesAccepted?: number
}

function problemIn(text: string): ProblemFields {
  try {
    return JSON.parse(text) as ProblemFields
  } catch {
    return {}
  }
}
