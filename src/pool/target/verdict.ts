/**
 * May a connection that its holder released serve again? What the pool's thread can see is decided here; the rest
 * (bytes in flight, the release dialog, two silent turns) is the I/O worker's to see. When in doubt, close.
 */
import type { Reuse } from '../../config/target.ts'

export type ReleaseReason =
  | 'clean'
  | 'policy'
  | 'discarded'
  | 'unread'
  | 'unsent'
  | 'unanswered'
  | 'timed_out'
  | 'half_closed'
  | 'error'
  | 'upgraded'
  | 'lifetime'
  | 'dialog_failed'
  | 'poisoned'

export type ReleaseVerdict = { readonly outcome: 'reused' | 'closed'; readonly reason: ReleaseReason }

/** What a lease looked like when it was released. */
export type LeaseTrace = {
  readonly reuse: Reuse
  /** Whether the connection has ended, and how. */
  readonly ended: 'open' | 'fin' | 'failed'
  /** A read or write is under way, or one was cancelled or timed out and none has completed since. */
  readonly interrupted: boolean
  readonly eofWritten: boolean
  readonly closing: boolean
  readonly unreadBytes: number
  readonly unsentBytes: number
  /** TLS was started on it, or was about to be; default: false. */
  readonly upgraded?: boolean
  /** Bytes were written, and none has been read since. */
  readonly unanswered: boolean
  readonly tooOld: boolean
}

/** The reason not to reuse, or null where the I/O worker has the last word. */
export function refusalOf(trace: LeaseTrace): Exclude<ReleaseReason, 'clean'> | null {
  if (trace.upgraded === true) return 'upgraded'
  if (trace.reuse === 'never') return 'policy'
  if (trace.ended === 'failed') return 'error'
  if (trace.ended === 'fin' || trace.eofWritten || trace.closing) return 'half_closed'
  if (trace.interrupted) return 'timed_out'
  if (trace.unreadBytes > 0) return 'unread'
  if (trace.unsentBytes > 0) return 'unsent'
  if (trace.unanswered) return 'unanswered'
  if (trace.tooOld) return 'lifetime'
  return null
}
