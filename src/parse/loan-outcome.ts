/** How work on a lent reader came out, put together from what its thread replied. */
import { type ErrorFields, reviveError, SockpoolError } from '../base/errors.ts'
import { aborted } from '../base/wait.ts'
import type { LentSource, LoanResult } from '../streams/channel-ends/lent-source.ts'
import type { ParseReply } from './formats/parse-task.ts'

export function loanResultOf(reply: ParseReply, what: string, signal: AbortSignal | undefined): LoanResult {
  const { outcome, returned } = reply
  // The worker itself says that it holds nothing, so nobody has to wait for the end of its thread.
  const reader: LoanResult['reader'] =
    returned === null ? { kind: 'lost', threadGone: Promise.resolve() } : { kind: 'returned', returned }
  if (outcome.ok) return { outcome, reader }
  // To the borrower a recall is a read that ran out of time. An INCOMPLETE_READ stands: the bytes are in the error alone.
  const isRecalled = signal?.aborted && returned?.interrupted && outcome.error.code !== 'INCOMPLETE_READ'
  const error = isRecalled ? aborted(what, signal) : revived(outcome)
  return { outcome: { ok: false, error }, reader }
}

/** A loan that was never begun again comes back as it was last given back, which is not as it was lent at first. */
export function returnedTo(result: LoanResult, at: LentSource): LoanResult {
  if (result.reader.kind !== 'untouched') return result
  const returned = { position: at.position, count: 0, interrupted: true }
  return { ...result, reader: { kind: 'returned', returned } }
}

/** The value of a reply. Errors: what it tells. */
export function unwrapped({ outcome }: ParseReply): unknown {
  if (outcome.ok) return outcome.value
  throw revived(outcome)
}

export function failed(error: unknown): { ok: false; error: SockpoolError } {
  return { ok: false, error: SockpoolError.from(error) }
}

function revived(outcome: { readonly error: ErrorFields; readonly cause?: unknown }): SockpoolError {
  const error = reviveError(outcome.error)
  return 'cause' in outcome ? Object.assign(error, { cause: outcome.cause }) : error
}
