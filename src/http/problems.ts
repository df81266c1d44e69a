/**
 * Turns every failure of the HTTP app into `application/problem+json` (RFC 9457). A SockpoolError is told as it is, and
 * Fastify's errors are translated. Anything else is a fault of the service: the caller learns only that, and the log
 * keeps its name and frames.
 */
import { STATUS_CODES } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ERROR_TITLES } from '../base/error-titles.ts'
import { ERROR_CODES, invariant, SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { lingerAtEnd } from './lingering-close.ts'

export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly code: string; readonly retryable: boolean; readonly [field: string]: unknown }
}

/** Fastify's codes for what a client did wrong, and what each becomes here. */
const FASTIFY_CODES: Readonly<Record<string, () => SockpoolError>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new SockpoolError('UNSUPPORTED_MEDIA_TYPE', 'this route does not read bodies of this content type'),
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new SockpoolError('BODY_TOO_LARGE', 'the body is larger than this route accepts'),
  FST_ERR_BAD_URL: () => invalidField('url', 'contains a malformed percent escape'),
}

/**
 * Describes an error as status, headers and body.
 *
 * `extra` is what the error's own fields may override: the counts that the problem of a failed read or write always
 * has, even if the error does not know them. Errors: none; anything becomes a problem.
 */
export function toProblem(error: unknown, extra: Readonly<Record<string, unknown>> = {}): Problem {
  if (error instanceof CountedFailure) return withCounts(toProblem(error.cause, extra), error.counts)
  const known = knownError(error)
  const hidden = known === null || known.code === 'INTERNAL'
  const code = known?.code ?? 'INTERNAL'
  const { status, retryable } = ERROR_CODES[code]
  return {
    status,
    headers: headersOf(code, known),
    body: {
      type: `urn:sockpool:problem:${code.toLowerCase()}`,
      title: ERROR_TITLES[code],
      status,
      detail: hidden
        ? 'the service failed; its log has the cause under this request id'
        : shortened(known.message, LIMITS.problemDetailCharsMax),
      code: code.toLowerCase(),
      retryable,
      ...extra,
      ...(!hidden && fieldsOf(known)),
    },
  }
}

/**
 * Sends an error as the reply. If the request's body has not come to its end, the connection is closed after it, in such
 * a way that the client sees the answer however much it still sends.
 */
export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  extra: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const problem = toProblem(error, extra)
  const isInternal = problem.body.code === 'internal'
  if (isInternal) request.log.error({ err: causeOf(error) }, 'internal error')
  endUnread(request, reply)
  // Only for a fault of the service must the caller find the log's line; all other problems stay the same bytes.
  const body = isInternal ? { ...problem.body, requestId: request.id } : problem.body
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type('application/problem+json')
    .send(Buffer.from(JSON.stringify(body)))
}

/** Has the connection end with an answer that comes before its request's body has: nobody reads the rest. */
export function endUnread(request: FastifyRequest, reply: FastifyReply): void {
  if (!hasUnreadBody(request)) return
  reply.header('connection', 'close')
  lingerAtEnd(request.raw.socket)
}

/** An error handler for routes whose problems always have the given fields. */
export function problemHandler(
  extra: Readonly<Record<string, unknown>> = {},
): (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (error, request, reply) => sendProblem(error, request, reply, extra)
}

/** Registers problems as the answer to every error and to every unknown route. */
export function registerProblems(app: FastifyInstance): void {
  app.setErrorHandler(problemHandler())
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new SockpoolError('NOT_FOUND', 'no route has this method and path'), request, reply),
  )
}

/**
 * An error together with the bytes that its call had moved. The error itself stays unchanged: the one that broke a
 * connection is thrown by every later call too, and each call has counts of its own.
 */
export class CountedFailure extends Error {
  readonly counts: Counts
  override readonly cause: unknown

  constructor(cause: unknown, counts: Counts) {
    super('a read or write failed')
    this.name = 'CountedFailure'
    this.cause = cause
    this.counts = counts
  }
}

/** Bytes of one call: those that reached the caller, and those that were accepted for sending. */
export type Counts = {
  readonly bytesDelivered: number
  readonly bytesAccepted: number
}

/** The counts of a call that failed before it moved a byte. */
export const NOTHING_MOVED: Counts = { bytesDelivered: 0, bytesAccepted: 0 }

export interface FieldError {
  readonly path: string
  readonly message: string
}

/** INVALID_REQUEST for one bad field. */
export function invalidField(path: string, message: string): SockpoolError {
  return invalidFields([{ path, message }])
}

/** INVALID_REQUEST for bad fields, of which the first few are told. */
export function invalidFields(found: readonly FieldError[]): SockpoolError {
  const errors = toldErrors(found)
  const told = errors.map(({ path, message }) => `${path}: ${message}`).join('; ')
  const detail = errors.length < found.length ? `${told}; there are more errors, which are left out` : told
  return new SockpoolError('INVALID_REQUEST', detail, { errors })
}

/** The first few, each with a path of bounded length: the names of unknown fields are the caller's. */
function toldErrors(found: readonly FieldError[]): FieldError[] {
  return found
    .slice(0, LIMITS.fieldErrorsMax)
    .map(({ path, message }) => ({ path: shortened(path, LIMITS.fieldNameCharsMax), message }))
}

function shortened(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax).toWellFormed()}…`
}

/** A problem as the text of a whole reply that ends the connection. `over` replaces the status or the headers. */
export function rawProblem(
  error: unknown,
  over: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): string {
  const problem = toProblem(error)
  const { status = problem.status, headers = problem.headers } = over
  const body = JSON.stringify({ ...problem.body, status })
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Bad Request'}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n')
}

function knownError(error: unknown): SockpoolError | null {
  if (error instanceof SockpoolError) return error
  if (!(error instanceof Error)) return null
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  const isListed = typeof code === 'string' && Object.hasOwn(FASTIFY_CODES, code)
  const translate = isListed ? FASTIFY_CODES[code] : undefined
  if (translate) return translate()
  const isTheirs = typeof code === 'string' && code.startsWith('FST_ERR_')
  if (isTheirs && typeof statusCode === 'number' && statusCode < 500)
    return invalidField('request', error.message)
  return null
}

function fieldsOf(error: SockpoolError): Record<string, unknown> {
  const { code: _code, message: _message, partial, errors, ...rest } = error.toJSON()
  const fields = errors === undefined ? rest : { ...rest, errors: toldErrors(errors) }
  if (partial === undefined) return fields
  // The partial bytes have left the stream, and this problem carries them to the caller.
  const text = Buffer.from(partial.buffer, partial.byteOffset, partial.length).toString('base64')
  return { bytesDelivered: partial.length, ...fields, partial: text }
}

function causeOf(error: unknown): unknown {
  return error instanceof CountedFailure ? error.cause : error
}

/** A repeat of a call that has sent bytes sends them twice. */
function withCounts(problem: Problem, counts: Counts): Problem {
  const retryable = problem.body.retryable && counts.bytesAccepted === 0
  return { ...problem, body: { ...problem.body, ...counts, retryable } }
}

function headersOf(code: keyof typeof ERROR_CODES, error: SockpoolError | null): Record<string, string> {
  const { status } = ERROR_CODES[code]
  if (status === 401) return { 'www-authenticate': 'Bearer realm="sockpool"' }
  if (status !== 429 && status !== 503) return {}
  const seconds = Math.ceil((error?.expectedWaitMs ?? 0) / 1_000)
  invariant(Number.isFinite(seconds), `expectedWaitMs of ${code} is ${error?.expectedWaitMs}`)
  return { 'retry-after': String(Math.max(1, seconds)) }
}

function hasUnreadBody(request: FastifyRequest): boolean {
  const { raw } = request
  const announced = raw.headers['transfer-encoding'] ?? raw.headers['content-length']
  return announced !== undefined && announced !== '0' && !raw.readableEnded && !raw.complete
}
