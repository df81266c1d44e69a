/** How far each play goes: in full by `npm run soak`, and small as a test. */
import type { CanaryScale } from './canary.ts'

type Scales<Scale> = { readonly full: Omit<Scale, 'seed'>; readonly small: Omit<Scale, 'seed'> }

export const CANARY: Scales<CanaryScale> = {
  full: { leases: 1_000_000, connections: 64 },
  small: { leases: 3_000, connections: 64 },
}
