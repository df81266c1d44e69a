/** What the pool of one target is made of, and how a caller asks it. */
import type { WaitOptions } from '../../base/wait.ts'
import type { EndName } from '../../channel/values.ts'
import type { Target } from '../../config/target.ts'
import type { Dial } from '../../threads/protocol.ts'
import type { Connector } from './connector.ts'
import type { PermitsOf } from './permits.ts'
import type { TargetNews } from './pool-news.ts'
import type { TargetTally } from './target-tally.ts'
import type { WaiterCount } from './waiter-count.ts'
import type { Asking } from './waiters.ts'

export type TargetPoolDeps = {
  readonly name: string
  readonly target: Target
  readonly dial: Dial
  /**
   * What a caller describes is its own: it is dialled whenever it asks, and what was dialled for a caller who has left is
   * closed where nobody else waits for it.
   */
  readonly origin: 'named' | 'described'
  readonly connector: Connector
  /** Waiters of all targets together. */
  readonly waiterCount: WaiterCount
  /** Hears what happens. */
  readonly tidings: TargetNews
  /** Counts what happens; default: nobody does. */
  readonly tally?: TargetTally | undefined
  /** Who else bounds the pool; default: nobody does. */
  readonly permitsOf?: PermitsOf | undefined
  /** Permits are others than before: for whoever has callers of its own wait for connections, or serves them with some. */
  readonly onRefreshed?: (() => void) | undefined
  readonly now: () => number
  readonly random: () => number
  /** A leased connection lost its socket. */
  readonly onLost: (how: EndName) => void
  /** A fault of ours, which nobody awaits. */
  readonly onFault: (error: unknown) => void
}

export type LeaseWait = WaitOptions & Asking & { readonly waitMs: number }
