/** What an I/O worker's thread is started with and told of, and what it is asked to open. */
import type { Decision } from '../base/egress-data.ts'
import type { Channel } from '../channel/channel.ts'
import type { DoorbellMemory } from '../channel/doorbell.ts'
import type { RingSizes, SlabNumbers } from '../channel/slab.ts'
import type { WatchedVital } from '../channel/vitals.ts'
import type { IoConnection } from './io-connection.ts'
import type { Dial, EgressData } from './protocol.ts'

export type IoThreadDeps = {
  readonly index: number
  readonly file: URL
  readonly poolDoorbell: DoorbellMemory
  /** Promises a call of `flush` at the end of this turn. */
  readonly promiseFlush: () => void
  readonly egress: EgressData
  /** The threads that are attached, and their doorbells. */
  readonly holders: ReadonlyMap<number, DoorbellMemory>
  readonly ringSizes: RingSizes
  readonly slabNumbers: SlabNumbers
  /** Where a ring of the pool's doorbell finds its connection. */
  readonly connections: Map<number, IoConnection>
  readonly nextId: () => string
  readonly watched: WatchedVital
  readonly onDecision: (decision: Decision) => void
  /** So many clients of servers were disconnected, because too many waited already. */
  readonly onDropped: (clients: number) => void
  /** Serving one connection failed, which was closed for it. */
  readonly onFault: (error: unknown) => void
  /** The thread has thrown, and is about to end. */
  readonly onDying: () => void
  /** The thread is gone, its connections have been told; `error` is what it threw, if it did. */
  readonly onExit: (error: Error | null) => void
}

export type OpenRequest = {
  readonly dial: Dial
  readonly connectTimeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** The thread to dial in; default, and where that one is dead: the least loaded. */
  readonly thread?: number | undefined
  /** Told of the place that was tried last, before the promise settles; those before it have failed. */
  readonly onPlace?: ((place: number) => void) | undefined
}

/** One that is under way. */
export type Opening = {
  readonly channel: Channel
  readonly resolve: (connection: IoConnection) => void
  readonly reject: (error: Error) => void
  readonly onPlace: (place: number) => void
  readonly forget: () => void
}
