/** How a stream over WebSocket ends: a close code, and as its reason the code of the problem. */
import { type GoneReason, SockpoolError } from '../../base/errors.ts'

/**
 * 1000: both directions have ended, or the lease was released. 1001: the service drains. 1008: an operator or another
 * stream ended it, or the client broke the rules. 1011: it failed.
 */
export type StreamClose = { readonly code: 1000 | 1001 | 1008 | 1011; readonly reason: string }

export const BOTH_ENDED: StreamClose = { code: 1000, reason: '' }
export const DRAINING: StreamClose = { code: 1001, reason: 'draining' }
export const TAKEN_OVER: StreamClose = { code: 1008, reason: 'taken_over' }

/** The client broke the rules, by the error that a request which did so would be answered with. */
export class ClientFault extends Error {
  override readonly cause: SockpoolError

  constructor(cause: SockpoolError) {
    super('the client of a stream broke its rules')
    this.cause = cause
  }
}

/** What to close with after such an error. `gone`: why the lease has ended; null while it is held. */
export function closeAfter(error: unknown, gone: GoneReason | null): StreamClose {
  if (error instanceof ClientFault) return { code: 1008, reason: error.cause.code.toLowerCase() }
  const known = error instanceof SockpoolError ? error : null
  if (known?.code === 'LEASE_GONE' && gone !== null) return closeOfLease(gone)
  return { code: 1011, reason: (known?.code ?? 'INTERNAL').toLowerCase() }
}

/** What to close with where the lease has ended. */
export function closeOfLease(reason: GoneReason): StreamClose {
  switch (reason) {
    case 'released':
      return { code: 1000, reason: 'released' }
    case 'killed':
    case 'revoked':
    case 'expired':
    case 'instance_lost':
      return { code: 1008, reason: 'lease_gone' }
    case 'worker_lost':
      return { code: 1011, reason: 'worker_lost' }
    case 'reset':
      return { code: 1011, reason: 'connection_reset' }
    default:
      return reason satisfies never
  }
}
