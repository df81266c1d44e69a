/** How far each play goes: in full by `npm run soak`, and small as a test. */
import type { CanaryScale } from './canary.ts'
import type { OutageScale } from './outage.ts'

type Scales<Scale> = { readonly full: Omit<Scale, 'seed'>; readonly small: Omit<Scale, 'seed'> }

export const CANARY: Scales<CanaryScale> = {
  full: { leases: 1_000_000, connections: 64 },
  small: { leases: 3_000, connections: 64 },
}

/** On a machine that other tests keep busy, timers come late. */
export const OUTAGE: Scales<OutageScale> = {
  full: { downMs: 60_000, waiters: 5_000, lateMs: 50, openForMs: 10_000, connectTimeoutMs: 1_000 },
  small: { downMs: 700, waiters: 200, lateMs: 500, openForMs: 200, connectTimeoutMs: 250 },
}
