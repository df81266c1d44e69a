/** Times that a caller sets, in the bounds that the service sets. */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'

/**
 * Makes a call with the caller's time. The service takes none above its own bound, by which the call is made then: it ends
 * no later than the caller wishes.
 */
export async function withTimeout<T>(
  timeoutMs: number | undefined,
  make: (timeoutMs: number | undefined) => Promise<T>,
): Promise<T> {
  const isBounded = timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY
  if (!isBounded) return await make(undefined)
  try {
    return await make(Math.max(1, Math.ceil(timeoutMs)))
  } catch (error) {
    if (!isOfTime(error)) throw error
    return await make(undefined)
  }
}

/** Milliseconds for the answer of a call that may take so long. */
export function answerMsOf(timeoutMs: number | undefined): number {
  return timeoutMs === undefined ? LIMITS.serviceWaitMs : timeoutMs + LIMITS.serviceGraceMs
}

function isOfTime(error: unknown): boolean {
  if (!(error instanceof SockpoolError) || error.code !== 'INVALID_REQUEST') return false
  return error.errors?.some(({ path }) => path === 'timeoutMs') === true
}
