/** A caller over HTTP that asks again, the same thing, whenever it has not got a whole answer. */
import { Agent, request } from 'node:http'

export type WholeAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly bytes: Buffer
  /** How often it was asked for. */
  readonly asked: number
}

export type RetriedCall = {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** So often nobody is unlucky. */
const TRIES_MAX = 1_000

export class RetryingClient {
  readonly #port: number
  readonly #headers: Readonly<Record<string, string>>
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })
  /** Calls that were made again. */
  retries = 0

  /** `port`: of this host. `headers`: of every call. */
  constructor(port: number, headers: Readonly<Record<string, string>>) {
    this.#port = port
    this.#headers = headers
  }

  /** The first whole answer. */
  async call(call: RetriedCall): Promise<WholeAnswer> {
    for (let asked = 1; asked <= TRIES_MAX; asked++) {
      const answer = await this.#once(call)
      if (answer !== null) return { ...answer, asked }
      this.retries++
    }
    throw new Error(`${call.method} ${call.path} was never answered`)
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Null where the connection was cut. */
  #once({ method, path, body = '', headers }: RetriedCall): Promise<Omit<WholeAnswer, 'asked'> | null> {
    const { promise, resolve } = Promise.withResolvers<Omit<WholeAnswer, 'asked'> | null>()
    const sent = request(
      {
        host: '127.0.0.1',
        port: this.#port,
        method,
        path,
        agent: this.#agent,
        headers: {
          ...this.#headers,
          ...(body !== '' && { 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
      },
      response => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', () => resolve(null))
        response.on('close', () => {
          const { complete, statusCode = 0, headers: fields } = response
          resolve(complete ? { status: statusCode, headers: fields, bytes: Buffer.concat(pieces) } : null)
        })
      },
    )
    sent.on('error', () => resolve(null))
    sent.end(body)
    return promise
  }
}
