/**
 * The two sides of a lease. Its record is on the pool's thread and says what the lease is; its ends are on the thread
 * of its holder and move the bytes.
 *
 *   Lease, BlockingLease ─► LeaseKeeper (the record, or what stands for it on an attached thread)
 *   LeaseRecord ─► LeaseHolder (the ends, or what stands for them on the pool's thread)
 */
import type { GoneReason } from '../../base/errors.ts'
import type { MessageBatch } from '../../base/value-batch.ts'
import type { EndName } from '../../channel/values.ts'
import type { Reuse } from '../../config/target.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import type { LentSource, LoanResult } from '../../streams/channel-ends/lent-source.ts'
import type { HeldConnection } from '../../threads/held-connection.ts'
import type { ConnectionHolder } from '../../threads/io-connection.ts'
import type { SpanParent } from '../../tracing/caller-trace.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'
import type { LeaseActivity, LeaseClock } from './lease-clock.ts'
import type { LeaseFlight, Moved } from './lease-flight.ts'
import type { LoanPort, ParseCall } from './parse-port.ts'

/** What a lease was agreed to be. Plain data. */
export type LeaseTerms = {
  readonly target: string
  readonly tenant: string
  /** Its connection has served another lease before. */
  readonly reused: boolean
  readonly reuse: Reuse
  /** Milliseconds without an operation until the lease expires; null never. */
  readonly ttlMs: number | null
  /** Bytes before its read offset that stay readable; 0: none. */
  readonly replayBytes: number
  /** An exchange takes a reply whose TLS ended without close_notify. */
  readonly allowTruncated: boolean
  /** The target's own; null where it has none. */
  readonly frame: FrameSpec | null
}

/** The ends of a lease, as its record sees them, and the bytes that went through them. */
export interface LeaseHolder extends ConnectionHolder, Moved {
  /** Whether a call waits on either end, and a number that changes with every byte moved. */
  readonly activity: LeaseActivity
  /** Bytes of this thread's memory that hold what may be read again. */
  readonly replayBytes: number
  /**
   * Whether the connection broke, and everything that it gave has been read: nothing is left to hold. `how`: how it ended,
   * or null while its socket may still be there.
   */
  isSpent(how: EndName | null): boolean
  /** Whether a connection that ended so has served its lease to the end, which then counts as released; default: never. */
  endsInOrder?(how: EndName): boolean
  /** The connection is gone. What was received stays readable. */
  lost(how: EndName): void
  /** The lease is over. No call may touch the channel any more, and each fails with the reason. */
  ended(reason: GoneReason): void
}

/** Work that another thread does on a lent reading end. */
export type LoanWork = (
  port: LoanPort,
  lent: LentSource,
  call: ParseCall & { readonly tenant: string },
) => Promise<LoanResult>

/** The record of a lease, as its holder sees it. */
export interface LeaseKeeper {
  /** 256 random bits as base64url, drawn once somebody asks. */
  readonly id: string
  readonly terms: LeaseTerms
  readonly connection: HeldConnection
  /** The epoch that the ends are made for. */
  readonly epoch: number
  readonly clock: LeaseClock
  /** Null where nothing is kept of what is done. */
  readonly flight: LeaseFlight | null
  /** What the spans of work on it hang below; null where nobody traces on its thread. */
  readonly span: { readonly within: SpanParent } | null
  /** Why the lease has ended, or null while it is held. */
  readonly gone: GoneReason | null
  /** The program has released it, and only its last bytes are still being sent. */
  readonly isEnding: boolean
  /** How the connection ended under the lease, or null. */
  readonly lost: EndName | null
  /** Resolves with the reason when the lease has ended; never rejects. */
  readonly ended: Promise<GoneReason>
  /** Runs one operation: the lease does not expire meanwhile, and its ttl is renewed. Errors: LEASE_GONE, and `run`'s. */
  operation<T>(name: string, run: () => Promise<T>): Promise<T>
  /** Notes that an operation was served at once: as `operation` would, and many in a row as one. */
  served(name: string): void
  /** Renews the ttl, sets a new one, or with null lifts it. Errors: LEASE_GONE. */
  renew(ttlMs: number | null | undefined): void
  /** The program wants nothing more of the lease than that its last bytes are sent. */
  beginRelease(): void
  /**
   * Ends the lease and gives its connection back, to be closed for the refusal where there is one. `graceful`: what was
   * written is still sent. Later calls answer as the first. It never rejects.
   */
  giveBack(refusal: Refusal | null, graceful: boolean): Promise<ReleaseResult>
  /** Ends the lease and its connection at once. */
  kill(reason: GoneReason): void
  /** Ends a lease whose connection is gone, without a word to its ends: they go on telling how that ended. */
  forget(): void
  /**
   * Has another thread read. The channel is nobody else's before that thread is known to be done and `takeBack` has
   * returned: what the borrower left in it is still the lease's, also where the connection is gone by then.
   */
  lend(
    lent: LentSource,
    work: LoanWork,
    call: ParseCall,
    takeBack: (result: LoanResult) => void,
  ): Promise<LoanResult>
  /** Has another thread decode bytes that are this end's, and stay so. They are given away. Errors: LoanPort.parseBatch's. */
  parseBatch(format: string, bytes: Uint8Array<ArrayBuffer>, options?: object): Promise<MessageBatch>
  /** Whether the lease keeps the process alive; it does from the start, and until it has ended. */
  keepAlive(isOn: boolean): void
  /** A fault of ours, which nobody awaits. */
  fault(error: unknown): void
}
