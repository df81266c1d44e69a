/** Times that a caller sets, in the bounds that the service sets. */

import { CLIENT_LIMITS } from '../base/client-limits.ts'
import { type ErrorCode, hasCode } from '../base/errors.ts'

/**
 * Makes a call with the caller's time. The service takes none above its own bound, by which the call is made then: it ends
 * no later than the caller wishes.
 */
export async function withTimeout<T>(
  timeoutMs: number | undefined,
  make: (timeoutMs: number | undefined) => Promise<T>,
): Promise<T> {
  if (!isBound(timeoutMs)) return await make(undefined)
  try {
    return await make(Math.max(1, Math.ceil(timeoutMs)))
  } catch (error) {
    if (!isOfTime(error)) throw error
    return await make(undefined)
  }
}

/**
 * As `withTimeout`, for a wait that the service ends with `code` at its own bound: a caller that has set none waits on. The
 * wait is the same one, however often it is asked for.
 */
export async function beyondService<T>(
  timeoutMs: number | undefined,
  code: ErrorCode,
  make: (timeoutMs: number | undefined) => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await withTimeout(timeoutMs, make)
    } catch (error) {
      if (isBound(timeoutMs) || !hasCode(error, code)) throw error
    }
  }
}

/** Milliseconds for the answer of a call that may take so long. */
export function answerMsOf(timeoutMs: number | undefined): number {
  return timeoutMs === undefined ? CLIENT_LIMITS.serviceWaitMs : timeoutMs + CLIENT_LIMITS.serviceGraceMs
}

function isBound(timeoutMs: number | undefined): timeoutMs is number {
  return timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY
}

function isOfTime(error: unknown): boolean {
  return hasCode(error, 'INVALID_REQUEST') && error.errors?.some(({ path }) => path === 'timeoutMs') === true
}
