import type { GoneReason } from '../../base/errors.ts'
import type { EndName } from '../../channel/channel.ts'
import type { ReleaseVerdict } from './verdict.ts'

/** A lease as the pool keeps it: one whose ends are on the pool's thread, or on an attached one. */
export interface HeldLease {
  readonly target: string
  readonly tenant: string
  readonly ageMs: number
  /** Milliseconds since its holder last did something. */
  readonly idleMs: number
  readonly lastOperation: string | null
  /** Resolves with the reason when the lease has ended; never rejects. */
  readonly ended: Promise<GoneReason>
  release(): Promise<ReleaseVerdict>
  /** Ends it from outside: its connection is killed. */
  kill(): void
  /** The socket is gone. */
  connectionLost(how: EndName): void
}
