/** What the pool needs of the parse workers. `parse/` fulfils it; the composition root joins the two. */

import type { WaitOptions } from '../../base/wait.ts'
import type { LentSource, LoanResult } from '../../streams/channel-ends/lent-source.ts'

export type ParseCall = WaitOptions
type TenantCall = ParseCall & { readonly tenant?: string | undefined }

export interface ParsePort {
  parse(format: string, bytes: Uint8Array, options?: object, call?: TenantCall): Promise<unknown[]>
  parseMessage(lent: LentSource, format: string, options?: object, call?: TenantCall): Promise<LoanResult>
  run(module: URL | string, argument?: unknown, call?: TenantCall): Promise<unknown>
  runOn(lent: LentSource, module: URL | string, argument?: unknown, call?: TenantCall): Promise<LoanResult>
}

/** Knows the formats without a thread. */
export interface FormatJudge {
  /** Judges a format and its options before anything waits. Errors: FORMAT_NOT_FOUND, INVALID_REQUEST. */
  checkFormat(format: string, options?: object): void
}
