/** What the pool needs of the parse workers. `parse/` fulfils it; the composition root joins the two. */

import type { SockpoolError } from '../../base/errors.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { LentSource, ReturnedSource } from '../../streams/channel-ends/blocking-channel-source.ts'

export type ParseCall = WaitOptions
type TenantCall = ParseCall & { readonly tenant?: string | undefined }

/** How work on a lent reader ended, and where the reader is now. `lost`: nobody knows what was read. */
export type LoanResult = {
  readonly outcome:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly error: SockpoolError }
  readonly reader:
    | { readonly kind: 'returned'; readonly returned: ReturnedSource }
    | { readonly kind: 'untouched' }
    | { readonly kind: 'lost' }
}

export interface ParsePort {
  parse(format: string, bytes: Uint8Array, options?: object, call?: TenantCall): Promise<unknown[]>
  parseMessage(lent: LentSource, format: string, options?: object, call?: TenantCall): Promise<LoanResult>
  run(module: URL | string, argument?: unknown, call?: TenantCall): Promise<unknown>
  runOn(lent: LentSource, module: URL | string, argument?: unknown, call?: TenantCall): Promise<LoanResult>
}
