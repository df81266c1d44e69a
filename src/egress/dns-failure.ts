/** How a look-up that failed is told: always DNS_FAILED, with the resolver's own code as the reason. */
import { SockpoolError } from '../base/errors.ts'

/** Answers that say the name has no address; to ask again at once helps nobody. */
const FINAL_REASONS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME', 'ENONAME'])

/** Whether the reason is an answer about the name, rather than none. */
export function isFinalReason(reason: string): boolean {
  return FINAL_REASONS.has(reason)
}

export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'EUNKNOWN'
}

export function dnsFailure(name: string, reason: string, cause?: unknown): SockpoolError {
  return new SockpoolError('DNS_FAILED', `The name ${name} could not be resolved (${reason})`, {
    reason,
    retryable: !isFinalReason(reason),
    cause,
  })
}
