/** What the quota of one target is made of. */
import type { EngineLoss } from '../config/fleet.ts'
import type { PermitTaker } from '../pool/target/permits.ts'
import type { PermitAccount, PermitsLedger } from './permits-ledger.ts'
import type { FleetTimes } from './quota-state.ts'

export type QuotaDeps = {
  readonly account: PermitAccount
  readonly ledger: PermitsLedger
  readonly taker: PermitTaker
  readonly times: FleetTimes
  readonly onEngineLoss: EngineLoss
  /** Among how many instances the cap is divided while the engine is away. */
  readonly instances: () => number
  /** The first of several words that failed one after another. */
  readonly onFault: (error: unknown) => void
  /** The pool has ended, and nothing is held any more. */
  readonly onEnd: () => void
  /** Monotonic milliseconds, the clock of the pool. */
  readonly now: () => number
  /** Milliseconds since 1970, which go on while the machine is suspended. */
  readonly wall: () => number
  readonly random: () => number
}
