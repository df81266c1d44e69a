/** What a lease is made of: its connection, the rules of its target, and what it asks of the pool. */

import type { Reuse } from '../../config/target.ts'
import type { OnReset } from '../../streams/reading/stream-reader.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import type { TlsSide } from '../../threads/protocol.ts'
import type { ReleaseReason, ReleaseVerdict } from '../target/verdict.ts'
import type { ParsePort } from './parse-port.ts'

export type LeaseParts = {
  readonly target: string
  readonly tenant: string
  readonly connection: HeldConnection
  readonly reused: boolean
  readonly reuse: Reuse
  /** Milliseconds without an operation until the lease expires; null never. */
  readonly ttlMs: number | null
  /** Bytes behind the read position that stay readable again. */
  readonly replayBytes: number
  readonly limit?: number | undefined
  readonly onReset: OnReset
  /** Which side of TLS this end is when TLS is started; default: the client. */
  readonly side?: TlsSide['side'] | undefined
  readonly leakDetectionMs: number | undefined
  readonly parse: ParsePort
  readonly now: () => number
  readonly isTooOld: () => boolean
  /** Gives the connection back; called once. `graceful`: what was written is still sent. */
  readonly giveBack: (
    refusal: Exclude<ReleaseReason, 'clean'> | null,
    graceful: boolean,
  ) => Promise<ReleaseVerdict>
  /** Whether the lease keeps the process alive; it does from the start, and until it has ended. */
  readonly keepAlive: (isOn: boolean) => void
  /** Called once, when the lease has ended. */
  readonly onEnded: () => void
  /** Its holder has renewed it, here; with a new ttl where one is given. */
  readonly onRenewed?: ((ttlMs: number | undefined) => void) | undefined
  /** It is held for longer than `leakDetectionMs`. */
  readonly onLeak: () => void
}
