/** The service as a caller over HTTP sees it: requests with a token, and the leases that came of them. */
import { describedAnswers } from './described-answers.ts'
import type { Place } from './services.ts'

export type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>

export type Call = {
  readonly json?: unknown
  readonly body?: Body
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  readonly text: string
}

export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly retryable: boolean
  readonly [field: string]: unknown
}

export type LeaseView = {
  readonly id: string
  readonly target: string
  readonly state: string
  readonly reused: boolean
  readonly expiresAt: string | null
  readonly connection: {
    readonly id: string
    readonly localAddress: string
    readonly localPort: number
    readonly remoteAddress: string
    readonly remotePort: number
    readonly tls: null | Readonly<Record<string, unknown>>
  }
}

/** A configured name, or a place with what TLS needs. */
export type Target = string | (Place & { readonly tls?: unknown })

export type LeaseWishes = {
  readonly ttlMs?: number
  readonly waitMs?: number
  readonly replay?: boolean
}

const PROBLEM_TEXTS = ['type', 'title', 'detail', 'code'] as const

/** Made while whatever the test needs is started. */
const DESCRIBED = describedAnswers()

export class Api {
  readonly url: string
  readonly #token: string | null
  /** The leases that were acquired, with whichever token. */
  readonly leases: HeldLease[]

  constructor(url: string, token: string | null, leases: HeldLease[] = []) {
    this.url = url
    this.#token = token
    this.leases = leases
  }

  /** Their ids: secrets, which no log may show. */
  get leaseIds(): readonly string[] {
    return this.leases.map(lease => lease.view.id)
  }

  /** The same service with another token. */
  as(token: string | null): Api {
    return new Api(this.url, token, this.leases)
  }

  async request(method: string, path: string, { json, body, headers, signal }: Call = {}): Promise<Answer> {
    const sent = json === undefined ? body : JSON.stringify(json)
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: {
        ...(this.#token !== null && { authorization: `Bearer ${this.#token}` }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(signal && { signal }),
      ...(sent !== undefined && { body: sent }),
      ...(sent instanceof ReadableStream && { duplex: 'half' }),
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    const answer = { status: response.status, headers: response.headers, bytes, text: bytes.toString('utf8') }
    await this.#hold(method, path, answer)
    return answer
  }

  /** Whatever a test is about: what the service answers must be what its document says. */
  async #hold(method: string, path: string, { status, headers, bytes }: Answer): Promise<void> {
    const described = await DESCRIBED
    const { pathname } = new URL(path, this.url)
    const fault = described.faultOf(method, pathname, { status, bytes, headers: new Map(headers) })
    if (fault !== null) throw new Error(`the API's document does not describe this: ${fault}`)
  }

  get(path: string, call?: Call): Promise<Answer> {
    return this.request('GET', path, call)
  }

  post(path: string, call?: Call): Promise<Answer> {
    return this.request('POST', path, call)
  }

  /** Bytes as JSON: `{data, encoding, offset, eof}`. */
  async postForJson(path: string, call: Call = {}): Promise<Readonly<Record<string, unknown>>> {
    const headers = { ...call.headers, accept: 'application/json' }
    return jsonOf(await this.post(path, { ...call, headers }))
  }

  /** Leases, or throws the problem. */
  async lease(target: Target, wishes: LeaseWishes = {}): Promise<HeldLease> {
    const answer = await this.post('/v1/leases', { json: { target, ...wishes } })
    if (answer.status !== 201) throw new Error(`no lease: ${answer.status} ${answer.text}`)
    return this.held(JSON.parse(answer.text) as LeaseView)
  }

  held(view: LeaseView): HeldLease {
    const lease = new HeldLease(this, view)
    this.leases.push(lease)
    return lease
  }
}

/** What the holder of a lease calls. */
export class HeldLease {
  readonly view: LeaseView
  readonly path: string
  readonly #api: Api

  constructor(api: Api, view: LeaseView) {
    this.#api = api
    this.view = view
    this.path = `/v1/leases/${view.id}`
  }

  look(): Promise<Answer> {
    return this.#api.get(this.path)
  }

  /** Resolves when the service has begun an operation of this lease. */
  async begun(operation: string): Promise<void> {
    while (jsonOf<{ lastOperation: string | null }>(await this.look()).lastOperation !== operation);
  }

  /** Resolves when the service says that no operation of this lease runs: until then its `idleMs` is 0. */
  async idle(): Promise<void> {
    while (jsonOf<{ idleMs: number }>(await this.look()).idleMs === 0);
  }

  call(operation: string, call?: Call): Promise<Answer> {
    return this.#api.post(`${this.path}/${operation}`, call)
  }

  callForJson(operation: string, call?: Call): Promise<Readonly<Record<string, unknown>>> {
    return this.#api.postForJson(`${this.path}/${operation}`, call)
  }

  /** Sets a new ttl. */
  renew(ttlMs: number): Promise<Answer> {
    return this.#api.request('PATCH', this.path, { json: { ttlMs } })
  }

  release(query = ''): Promise<Answer> {
    return this.#api.request('DELETE', `${this.path}${query}`)
  }
}

export function jsonOf<T = Readonly<Record<string, unknown>>>(answer: Answer): T {
  return JSON.parse(answer.text) as T
}

/** The problem that an answer is; throws where it is none, or is not whole. */
export function problemOf(answer: Answer): Problem {
  const type = answer.headers.get('content-type') ?? ''
  if (!type.startsWith('application/problem+json'))
    throw new Error(`no problem: ${answer.status} ${type} ${answer.text}`)
  const problem = jsonOf<Problem>(answer)
  const missing = PROBLEM_TEXTS.find(field => typeof problem[field] !== 'string' || problem[field] === '')
  if (missing) throw new Error(`the problem has no ${missing}: ${answer.text}`)
  if (problem.status !== answer.status) throw new Error(`${answer.status} answered as ${answer.text}`)
  return problem
}
