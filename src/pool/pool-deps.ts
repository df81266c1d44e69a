/** What a pool is made of, and what its calls may be told. The composition root fills these in. */

import type { DoorbellMemory } from '../channel/doorbell.ts'
import type { EndName } from '../channel/values.ts'
import type { Target } from '../config/target.ts'
import type { WorkerDrain } from '../threads/worker-drains.ts'
import type { ForwardEvent } from './forward/forwards.ts'
import type { LeaseRecord } from './lease/lease-record.ts'
import type { FormatJudge, ParseGauge, ParsePort } from './lease/parse-port.ts'
import type { PoolChange, ReloadOptions } from './pool-change.ts'
import type { ListenerFleet } from './server/servers.ts'
import type { Connector } from './target/connector.ts'
import type { PermitsOf } from './target/permits.ts'
import type { PoolNews } from './target/pool-news.ts'
import type { AdHocRules } from './target/target-pools.ts'

/** What happened in the pool that its owner may want to log. */
export type PoolEvent =
  /** A lease is held for longer than its target's `leakDetection`; one that was has come back. */
  | { readonly kind: 'leak' | 'leak_over'; readonly lease: LeaseRecord }
  | { readonly kind: 'lost'; readonly target: string; readonly how: EndName }
  /** A fault of ours, which concerned one lease and closed its connection. */
  | { readonly kind: 'fault'; readonly error: unknown }
  | { readonly kind: 'forward'; readonly event: ForwardEvent }

/** The I/O workers, as the pool needs them. */
export interface Fleet extends Connector, ListenerFleet {
  /** Keeps the process alive until `release` was called as often: somebody waits or holds. */
  hold(): void
  release(): void
  /** Has the I/O workers ring the doorbell of an attached thread, or with null forget it. */
  setHolder(holder: number, doorbell: DoorbellMemory | null): void
  readonly isReady: boolean
  /** Shared memory that is set aside for rings. */
  readonly ringBytes: number
  stats(): ReadonlyArray<{ readonly id: number }>
  /** As IoFleet's. */
  drainWorker(id: number): Promise<WorkerDrain>
  stop(): Promise<void>
}

export type PoolDeps = AdHocRules & {
  readonly targets: Readonly<Record<string, Target>>
  readonly fleet: Fleet
  readonly parse: ParsePort & FormatJudge & ParseGauge
  /** Ends what `parse` runs on; called last. */
  readonly closeParse: () => Promise<void>
  /** What the pool is told anew. Errors: INVALID_REQUEST. */
  readonly judge: (options: ReloadOptions) => PoolChange
  readonly leasesMax: number
  readonly waitersMax: number
  /** Connections that the process may have; default: as many as there are channels. */
  readonly connectionsMax?: number | undefined
  /** Whether leases without a `ttlMs` take the target's; a library's leases have none. */
  readonly defaultTtl: 'target' | 'none'
  readonly now?: () => number
  readonly random?: () => number
  readonly onEvent?: (event: PoolEvent) => void
  /** Hears what happens. */
  readonly news: PoolNews
  /** Who else bounds the pools of named targets; default: nobody does. */
  readonly permitsOf?: PermitsOf | undefined
  /** Makes the ids of leases, none of which can be guessed; default: random ones. */
  readonly leaseIds?: (() => string) | undefined
}
