/** What the pool of one target is made of: a seam to the I/O workers, a clock, and who hears of losses. */
import type { WaitOptions } from '../../base/wait.ts'
import type { EndName } from '../../channel/channel.ts'
import type { Target } from '../../config/target.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { Dial } from '../../threads/protocol.ts'
import type { Crowd } from './crowd.ts'
import type { PooledConnection } from './pooled-connection.ts'

/** What a pool needs of the I/O workers. */
export interface Connector {
  open(request: {
    readonly dial: Dial
    readonly connectTimeoutMs: number
    readonly signal?: AbortSignal
  }): Promise<IoConnection>
}

export type TargetPoolParts = {
  readonly name: string
  readonly target: Target
  readonly dial: Dial
  readonly connector: Connector
  /** Waiters of all targets together. */
  readonly crowd: Crowd
  readonly now: () => number
  readonly random: () => number
  /** The lease on this connection lost its socket. */
  readonly onLost: (slot: PooledConnection, how: EndName) => void
}

export type LeaseWait = WaitOptions & { readonly tenant: string; readonly waitMs: number }
