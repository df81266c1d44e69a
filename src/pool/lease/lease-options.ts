/** What a caller may say about a lease. */
import type { WaitOptions } from '../../base/wait.ts'
import type { OnReset } from '../../streams/reading/read-options.ts'

export type LeaseOptions = WaitOptions & {
  /** Milliseconds to wait for a free connection; 0 does not wait; default: the target's. */
  readonly waitMs?: number | undefined
  /** Milliseconds the lease lives without an operation; default: for ever, or the target's with `ttl: 'target'`. */
  readonly ttlMs?: number | undefined
  /** Whose it is; connections never move between tenants. */
  readonly tenant?: string | undefined
  /** Bytes; default of the reader's `limit`. */
  readonly limit?: number | undefined
  readonly onReset?: OnReset | undefined
}
