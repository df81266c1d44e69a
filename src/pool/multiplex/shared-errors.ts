/** What a caller on a shared connection hears of a call that failed. */
import { errorText } from '../../base/error-text.ts'
import { copyError, SockpoolError } from '../../base/errors.ts'

const ANSWER_FAULTS: ReadonlySet<string> = new Set(['FRAME_BROKEN', 'LIMIT_OVERRUN'])

/** What is wrong with the bytes of an answer is told to whom it was for: by order the first. All others have lost it. */
export function lossError(error: unknown, isFirst: boolean): SockpoolError {
  const known = SockpoolError.from(error, 'CONNECTION_RESET')
  const isOwn = known.code === 'CONNECTION_RESET' || (isFirst && ANSWER_FAULTS.has(known.code))
  // What was written may have been done.
  if (isOwn) return copyError(known, false)
  const message = `the shared connection has ended: ${known.message}`
  return new SockpoolError('CONNECTION_RESET', message, {
    reason: known.reason ?? known.code.toLowerCase(),
    cause: known,
  })
}

/** A module that cannot read a request does not know it for one. */
export function requestError(error: unknown): SockpoolError {
  if (error instanceof SockpoolError) return error
  return new SockpoolError('FRAME_MISMATCH', `the request has no id that can be set: ${errorText(error)}`, {
    cause: error,
  })
}
