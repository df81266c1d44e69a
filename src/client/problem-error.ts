/** The errors of a service, as the library's own: the same codes, and the fields that its problems carry. */
import { ERROR_CODES, type ErrorCode, type ErrorFields, reviveError, SockpoolError } from '../base/errors.ts'
import type { WireAnswer } from './wire.ts'

/** The error that an answer is. One that is no problem comes from somebody in between: the service was not reached. */
export function errorOfAnswer({ status, header, bytes }: WireAnswer, call: string): SockpoolError {
  const type = header('content-type') ?? ''
  const problem = type.startsWith('application/problem+json') ? fieldsOf(bytes) : null
  if (problem !== null) return errorOfProblem(problem)
  return new SockpoolError(
    'SERVICE_UNREACHABLE',
    `${call}: the answer, of status ${status}, is not the service's`,
    {
      reason: `http_${status}`,
      retryable: false,
    },
  )
}

/** The code that a close of a stream names, or null where it is none of ours. */
export function codeOf(reason: string): ErrorCode | null {
  const code = reason.toUpperCase()
  return Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : null
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(bytes: Buffer): Fields | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Fields) : null
  } catch {
    // It was cut on the way, or is nothing of the kind.
    return null
  }
}

function errorOfProblem(fields: Fields): SockpoolError {
  const { type: _type, title: _title, status, detail, code: word, partial, requestId, ...own } = fields
  const code = typeof word === 'string' ? codeOf(word) : null
  const message = typeof detail === 'string' ? detail : 'the service gave no reason'
  const told: Record<string, unknown> = {
    ...own,
    code: code ?? (Number(status) < 500 ? 'INVALID_REQUEST' : 'INTERNAL'),
    message: code === null ? `${String(word)}: ${message}` : message,
  }
  if (typeof partial === 'string') told['partial'] = Buffer.from(partial, 'base64')
  if (typeof requestId === 'string') told['message'] = `${message} (${requestId})`
  return reviveError(told as ErrorFields)
}
