/** How far each play goes: in full by `npm run fleet`, and small as a test, on a machine that other tests keep busy. */
import type { AnywhereScale } from './anywhere.ts'
import type { ChaosScale } from './chaos.ts'
import type { CostScale } from './cost.ts'
import type { SkewScale } from './skew.ts'

type Scales<Scale> = { readonly full: Omit<Scale, 'seed'>; readonly small: Omit<Scale, 'seed'> }

export const INSTANCES = 8
export const CAP = 100

export const CHAOS: Scales<ChaosScale> = {
  full: { forMs: 600_000, holders: 120, exchangers: 40, pauseMs: 1_500 },
  small: { forMs: 60_000, holders: 120, exchangers: 20, pauseMs: 3_000 },
}

export const ANYWHERE: Scales<AnywhereScale> = {
  full: { leases: 10_000, workers: 32 },
  small: { leases: 300, workers: 16 },
}

export const SKEW: Scales<SkewScale> = {
  full: { callersBeyond: 20, holdMs: 1_000, forMs: 20_000, withinMs: 3_000, useMin: 0.95 },
  small: { callersBeyond: 20, holdMs: 1_000, forMs: 1_500, withinMs: 60_000, useMin: 0.9 },
}

export const COST: Pick<Scales<CostScale>, 'full'> = {
  full: { rounds: 15, warmUps: 2, roundMs: 2_000, callers: 8 },
}
