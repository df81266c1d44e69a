/**
 * May a connection that its holder released serve again? What the holder's side can see is judged here; the rest
 * (bytes in flight, the release dialog, two silent turns) is for its I/O worker to see. When in doubt, close.
 */
import type { Reuse } from '../../config/target.ts'
import type { Refusal } from '../target/release-result.ts'

/** What a lease looked like when it was released. */
export type LeaseTrace = {
  readonly reuse: Reuse
  /**
   * Its I/O worker counts requests and answers. The count says what is unanswered; and even where a call was given up, an
   * even one says that nothing comes late.
   */
  readonly isCounted: boolean
  /** Whether the connection has ended, and how. */
  readonly ended: 'open' | 'fin' | 'failed'
  /**
   * A read or write is under way, or one was ever cancelled or timed out. A later read by itself proves nothing: a peer
   * that answers late, and in order, then gives each caller the answer of the one before.
   */
  readonly interrupted: boolean
  readonly eofWritten: boolean
  readonly closing: boolean
  readonly unreadBytes: number
  readonly unsentBytes: number
  /** TLS was started on it, or was about to be; default: false. */
  readonly upgraded?: boolean
  /** Bytes were written, and none has been read since. */
  readonly unanswered: boolean
}

/**
 * The reason not to reuse, or null where the I/O worker has the last word. It also has that on `timed_out` where it counts:
 * nothing else speaks against the connection then.
 */
export function reasonToClose(trace: LeaseTrace): Refusal | null {
  if (trace.upgraded === true) return 'upgraded'
  if (trace.reuse === 'never') return 'policy'
  if (trace.ended === 'failed') return 'error'
  if (trace.ended === 'fin' || trace.eofWritten || trace.closing) return 'half_closed'
  if (trace.interrupted && !trace.isCounted) return 'timed_out'
  if (trace.unreadBytes > 0) return 'unread'
  if (trace.unsentBytes > 0) return 'unsent'
  if (trace.interrupted) return 'timed_out'
  return trace.unanswered && !trace.isCounted ? 'unanswered' : null
}
