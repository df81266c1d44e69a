/**
 * Calls of the service: each with a deadline and a signal, its errors typed, and repeated where the way to the service broke
 * and a repeat does no harm.
 */

import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { errorText } from '../base/error-text.ts'
import { type ErrorCode, SockpoolError } from '../base/errors.ts'
import { timerMs } from '../base/timer.ts'
import { Wait, type WaitOptions } from '../base/wait.ts'
import type { RetryBounds } from './client-options.ts'
import { errorOfAnswer } from './problem-error.ts'
import { RetryPlan } from './retry-plan.ts'
import { jsonOf, type Wire, type WireAnswer, WireFailure, type WireRequest } from './wire.ts'

export type ServiceCall = {
  /** As errors name it. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly json?: unknown
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** `always`: the service takes a repeat for the same call. `unsent`: where nothing of it has reached a peer. */
  readonly repeat: 'always' | 'unsent'
  /** What the caller may end it by; the time is counted over all tries. */
  readonly bounds?: WaitOptions
  /** The error of that time; default WAIT_TIMEOUT. */
  readonly timeoutCode?: ErrorCode
  /** Milliseconds for the answer of one try; default CLIENT_LIMITS.serviceAnswerMs. */
  readonly answerMs?: number
  /** Default: the pool's. */
  readonly retry?: RetryBounds
}

/** Nothing was sent on the connection that ended, or to the instance that is away: a repeat may be served. */
const ANOTHER_SERVES: ReadonlySet<ErrorCode> = new Set([
  'CONNECTION_RESET',
  'WORKER_LOST',
  'INSTANCE_UNREACHABLE',
])

export class ServiceCaller {
  readonly wire: Wire
  readonly retry: RetryBounds
  readonly #closing = new AbortController()

  constructor(wire: Wire, retry: RetryBounds) {
    this.wire = wire
    this.retry = retry
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Errors: the service's; SERVICE_UNREACHABLE, ABORTED, the call's time-out; DRAINING once it is closed. */
  async call(call: ServiceCall): Promise<WireAnswer> {
    if (this.isClosed) throw closedError()
    const { name, bounds = {}, timeoutCode = 'WAIT_TIMEOUT' } = call
    const ended = new AbortController()
    const wait = new Wait<WireAnswer>(name, timeoutCode, bounds, error => ended.abort(error))
    const close = (): void => {
      ended.abort(closedError())
      wait.reject(closedError())
    }
    this.#closing.signal.addEventListener('abort', close, { once: true })
    this.#tries(call, ended.signal).then(
      answer => wait.resolve(answer),
      error => wait.reject(error),
    )
    try {
      return await wait.promise
    } finally {
      this.#closing.signal.removeEventListener('abort', close)
    }
  }

  /** As `call`; what the answer's JSON says. */
  async json(call: ServiceCall): Promise<unknown> {
    return jsonOf<unknown>(await this.call(call))
  }

  /** Ends the calls under way. */
  close(): void {
    this.#closing.abort()
    this.wire.close()
  }

  async #tries(call: ServiceCall, signal: AbortSignal): Promise<WireAnswer> {
    const plan = new RetryPlan(call.retry ?? this.retry)
    for (;;) {
      try {
        return await this.#try(call, signal)
      } catch (error) {
        if (signal.aborted) throw error
        const pauseMs = mayRepeat(call, error) ? plan.next() : null
        if (pauseMs === null) throw told(call, error)
        await pause(pauseMs, signal)
      }
    }
  }

  async #try(call: ServiceCall, signal: AbortSignal): Promise<WireAnswer> {
    const { answerMs = CLIENT_LIMITS.serviceAnswerMs } = call
    const tried = new AbortController()
    const end = (): void => tried.abort(signal.reason)
    const late = (): void => tried.abort(new WireFailure(new Error('no answer came in time'), false))
    signal.addEventListener('abort', end, { once: true })
    const timer = setTimeout(late, timerMs(answerMs))
    try {
      if (signal.aborted) throw signal.reason
      const answer = await this.wire.request({ ...requestOf(call), signal: tried.signal })
      if (answer.status >= 200 && answer.status < 300) return answer
      throw errorOfAnswer(answer, call.name)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    }
  }
}

/** What the calls of a pool that is closed fail with. */
export function closedError(): SockpoolError {
  return new SockpoolError('DRAINING', 'the pool is closed')
}

function requestOf({
  method,
  path,
  query = {},
  json,
  body,
  headers,
}: ServiceCall): Omit<WireRequest, 'signal'> {
  const said = Object.entries(query).filter(([, value]) => value !== undefined)
  const search = said
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    .join('&')
  const type = json === undefined ? 'application/octet-stream' : 'application/json'
  const sent = json === undefined ? (body ?? null) : JSON.stringify(json)
  return {
    method,
    path: search === '' ? path : `${path}?${search}`,
    headers: sent === null ? { ...headers } : { 'content-type': type, ...headers },
    body: sent,
  }
}

function mayRepeat({ repeat }: ServiceCall, error: unknown): boolean {
  if (error instanceof WireFailure) return error.isUnsent || repeat === 'always'
  if (!(error instanceof SockpoolError)) return false
  // The way broke behind the instance that was called.
  if (error.code === 'INSTANCE_UNREACHABLE' && repeat === 'always') return true
  if (repeat !== 'unsent') return false
  return error.retryable && error.bytesAccepted === 0 && ANOTHER_SERVES.has(error.code)
}

/** What the caller hears of the last try. */
function told({ name, repeat }: ServiceCall, error: unknown): unknown {
  if (!(error instanceof WireFailure)) return error
  const { cause, isUnsent } = error
  return new SockpoolError(
    'SERVICE_UNREACHABLE',
    `${name}: the service cannot be reached: ${errorText(cause)}`,
    {
      cause,
      retryable: isUnsent || repeat === 'always',
      ...(isUnsent && { bytesAccepted: 0 }),
      ...reasonOf(cause),
    },
  )
}

function reasonOf(cause: unknown): { readonly reason?: string } {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? { reason: code } : {}
}

/** Resolves after so long; rejects with the signal's reason. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end)
      resolve()
    }, ms)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}
