/** What a pool has of permits, needs of them, and could do without, at one instant. */
import type { PermitUse } from '../pool/target/permits.ts'

export type PermitBalance = {
  /** What the engine has to keep for this pool: more than `granted` while connections are still to close. */
  readonly claim: number
  /** Of that, what is given back once they have closed. */
  readonly pending: number
  readonly spare: number
  /** What could be given back at once, or as soon as idle connections are closed. */
  readonly offer: number
  readonly lack: number
  readonly cold: number
}

export function balanceOf({ taken, idle, wanting, cold }: PermitUse, granted: number): PermitBalance {
  const spare = Math.max(0, granted - taken)
  return {
    claim: Math.max(granted, taken),
    pending: Math.max(0, taken - granted),
    spare,
    offer: spare + idle,
    lack: wanting,
    // A connection that is dialled for a caller is one of the warm ones later.
    cold: Math.max(0, cold - wanting),
  }
}
