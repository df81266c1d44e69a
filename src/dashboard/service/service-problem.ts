/** Why a call of the API failed, as the service said it, or in our words where it said nothing. */

export type FieldFault = { readonly path: string; readonly message: string }

export type ProblemFields = Readonly<Record<string, unknown>>

export class ServiceProblem extends Error {
  /** 0 where no answer came. */
  readonly status: number
  readonly code: string
  readonly title: string
  /** Of an `invalid_request`. */
  readonly faults: readonly FieldFault[]
  /** What the problem says beside those, as it came. */
  readonly fields: ProblemFields
  /** Milliseconds after which the service would be asked again; null where it did not say. */
  readonly retryAfterMs: number | null

  constructor(status: number, fields: ProblemFields, retryAfterMs: number | null = null) {
    const { type: _type, status: _status, title, detail, code, errors, ...rest } = fields
    super(text(detail) ?? text(title) ?? `the service answered with ${status}`)
    this.name = 'ServiceProblem'
    this.status = status
    this.code = text(code) ?? (status === 0 ? 'unreachable' : `http_${status}`)
    this.title = text(title) ?? 'The call failed'
    this.faults = Array.isArray(errors) ? errors.filter(isFault) : []
    this.fields = rest
    this.retryAfterMs = retryAfterMs
  }

  /** Nothing answers there, or not in time. */
  static unreachable(cause: unknown): ServiceProblem {
    const isLate = cause instanceof Error && cause.name === 'TimeoutError'
    const detail = isLate ? 'the service does not answer in time' : 'the service cannot be reached'
    return new ServiceProblem(0, { title: 'No answer', detail })
  }

  /** What failed, whatever it was. */
  static of(error: unknown): ServiceProblem {
    if (error instanceof ServiceProblem) return error
    const detail = error instanceof Error ? error.message : String(error)
    return new ServiceProblem(0, { title: 'The page failed', detail, code: 'page_failed' })
  }
}

/** The problem that an answer holds. */
export async function problemOfAnswer(answer: Response): Promise<ServiceProblem> {
  const body: unknown = await answer.json().catch(() => null)
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN)
  const fields = typeof body === 'object' && body !== null ? (body as ProblemFields) : {}
  return new ServiceProblem(answer.status, fields, Number.isFinite(seconds) ? seconds * 1_000 : null)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function isFault(value: unknown): value is FieldFault {
  return typeof value === 'object' && value !== null && 'path' in value && 'message' in value
}
