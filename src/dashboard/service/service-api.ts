/** Calls of the API of the service that the page came from. Every call has a bound. */
import type { AccessToken } from './access-token.ts'
import { problemOfAnswer, ServiceProblem } from './service-problem.ts'

/** Milliseconds that a listing may take, and a verb, which the service bounds by itself. */
const LOOK_TIMEOUT_MS = 10_000
const VERB_TIMEOUT_MS = 120_000

export type PageCall = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
}

export class ServiceApi {
  readonly #token: Pick<AccessToken, 'value'>

  constructor(token: Pick<AccessToken, 'value'>) {
    this.#token = token
  }

  /** Errors: ServiceProblem; an AbortError where the signal ends it. */
  async look<T>(path: string, signal: AbortSignal): Promise<T> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)])
    const answer = await this.#fetch({ method: 'GET', path }, bounded)
    return (await bodyOf(answer, signal)) as T
  }

  /** What changes something. Errors: ServiceProblem. */
  async call<T>(call: PageCall): Promise<T> {
    const answer = await this.#fetch(call, AbortSignal.timeout(VERB_TIMEOUT_MS))
    return (await bodyOf(answer, null)) as T
  }

  /** An answer that stays open. Errors: as `look`. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    return this.#fetch({ method: 'GET', path }, signal, headers)
  }

  async #fetch(
    { method, path, body }: PageCall,
    signal: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const { value: token } = this.#token
    const headers = {
      accept: 'application/json',
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...more,
    }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const answer = await fetch(path, { method, headers, signal, cache: 'no-store', ...sent }).catch(
      (error: unknown) => {
        if (isAbort(error)) throw error
        throw ServiceProblem.unreachable(error)
      },
    )
    if (answer.ok) return answer
    throw await problemOfAnswer(answer)
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** An answer that breaks off is none. */
async function bodyOf(answer: Response, signal: AbortSignal | null): Promise<unknown> {
  try {
    return await answer.json()
  } catch (error) {
    if (signal?.aborted === true || isAbort(error)) throw error
    throw ServiceProblem.unreachable(error)
  }
}
