/** What the record of a lease is given, and who hears of it. */
import type { LeasedConnection } from '../../threads/held-connection.ts'
import type { FlightRecorder } from '../target/flight-recorder.ts'
import type { Refusal, ReleaseResult } from '../target/release-result.ts'
import type { LeaseKeeper, LeaseTerms } from './lease-keeper.ts'
import type { LeaseOrigin } from './lease-report.ts'
import type { LoanPort } from './parse-port.ts'

export interface LeaseRecordDeps {
  readonly terms: LeaseTerms
  readonly connection: LeasedConnection
  readonly parse: LoanPort
  /** The monotonic clock. */
  now(): number
  /** Of its connection; default: nothing is kept. */
  readonly recorder?: FlightRecorder | undefined
  readonly leakDetectionMs?: number | undefined
  /** Where it was asked for. */
  readonly origin?: LeaseOrigin | undefined
  /** Makes its id, which cannot be guessed; default: a random one. */
  newId?(): string
  /** Gives the connection back; called once. It never rejects. `failure`: what its last operation failed with; null where it did not. */
  giveBack(refusal: Refusal | null, graceful: boolean, failure: unknown): Promise<ReleaseResult>
  /** Whether the lease keeps the process alive; off at first. */
  keepAlive(isOn: boolean): void
  /** Its ttl is over: to be answered by `kill`, by whoever has the say. */
  onExpired(record: Pick<LeaseKeeper, 'kill'>): void
  /** Called once, when the lease has ended. */
  onEnded(): void
  /** Its holder has renewed it, with a new ttl where one is given; or wants nothing more than its last bytes sent. */
  onRenewed?(ttlMs: number | null | undefined): void
  onEnding?(): void
  /** It is held for longer than `leakDetectionMs`; or it was, and has come back after all. */
  onLeak(kind: 'leak' | 'leak_over'): void
  /** A fault of ours, which nobody awaits. */
  onFault(error: unknown): void
}
