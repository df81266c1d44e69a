/** What a fleet of I/O workers is told. */
import type { Decision } from '../base/egress-data.ts'
import type { RingSizes } from '../channel/slab.ts'
import type { WatchedVital } from '../channel/vitals.ts'
import type { EgressData } from './protocol.ts'

export type IoFleetOptions = {
  /** Threads; at least 1. */
  readonly workers: number
  readonly egress?: EgressData | undefined
  readonly ringSizes?: RingSizes | undefined
  /** Connections open or being opened at once; default LIMITS.channelsMax. */
  readonly connectionsMax?: number | undefined
  /** The worker's entry, for those who bundle it elsewhere; default: the one beside this code. */
  readonly workerFile?: URL | undefined
  /** What the workers are to find out about themselves; default: nothing. */
  readonly watched?: WatchedVital | undefined
  readonly onDecision?: ((decision: Decision) => void) | undefined
  /** A ring of the pool's doorbell went unheard until the sweep found it: a fault of ours. */
  readonly onMissedWake?: (() => void) | undefined
  /** So many clients of servers were disconnected, because too many waited for their handshake or handler already. */
  readonly onDropped?: ((clients: number) => void) | undefined
  /** Handling one connection failed, which was ended for it: a fault of ours. */
  readonly onFault?: ((error: unknown) => void) | undefined
  /** A worker died and is being replaced. */
  readonly onWorkerLost?: ((worker: number, error: Error | null) => void) | undefined
}
