/** What callers and operators hear of an I/O worker that failed. */
import { reviveError, SockpoolError } from '../base/errors.ts'
import type { MishandledMessage } from './protocol.ts'

/** Says what of the worker's own work failed: its error alone does not. */
export function mishandled({ message, error }: MishandledMessage): SockpoolError {
  const cause = reviveError(error)
  return new SockpoolError(cause.code, `an I/O worker failed at "${message}": ${cause.message}`, { cause })
}

/** For a call on a connection. */
export function lost(cause: Error | null): SockpoolError {
  return new SockpoolError('WORKER_LOST', 'the I/O worker died', { cause })
}

/** For a call that wanted a connection: nothing was sent on one that was not there yet. */
export function lostBefore(cause: Error | null): SockpoolError {
  return new SockpoolError('WORKER_LOST', 'the I/O worker died', { cause, retryable: true })
}

export function noWorker(): SockpoolError {
  return new SockpoolError('WORKER_LOST', 'no I/O worker is running', { retryable: true })
}
