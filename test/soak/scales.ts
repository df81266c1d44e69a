/** How far each play goes: in full by `npm run soak`, and small as a test. */
import type { CanaryScale } from './canary.ts'
import type { ChangesScale } from './changes.ts'
import type { NoisyTenantScale } from './noisy-tenant.ts'
import type { OutageScale } from './outage.ts'
import type { RedisScale } from './redis.ts'

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

/**
 * The quiet tenant asks for a fifth of what there is. Served in the order of their coming, it would wait behind all of the noisy
 * one: some 200 ms in full, and 400 ms in small.
 */
export const NOISY_TENANT: Scales<NoisyTenantScale> = {
  full: { forMs: 20_000, holdMs: 20, quietCallers: 20, pauseMs: 180, marginMs: 20, noisyTenant: 'noisy' },
  small: { forMs: 800, holdMs: 40, quietCallers: 20, pauseMs: 360, marginMs: 100, noisyTenant: 'noisy' },
}

export const CHANGES: Scales<ChangesScale> = {
  full: { rounds: 30, perSecond: 200, callsBetween: 100 },
  small: { rounds: 1, perSecond: Number.POSITIVE_INFINITY, callsBetween: 40 },
}

export const REDIS: Scales<RedisScale> = {
  full: { rounds: 12, kills: 100, downMs: 3_000, callsBetween: 1_000, openForMs: 1_000 },
  small: { rounds: 1, kills: 15, downMs: 400, callsBetween: 100, openForMs: 100 },
}
