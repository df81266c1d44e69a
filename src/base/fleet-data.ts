/** What an instance tells of its fleet: to its HTTP side, to operators, to whoever scrapes. */
import type { DurationCounts } from './duration-tally.ts'

/** Whose lease or listener an id is, by what its owner has put into it. */
export type IdOwner =
  /** Of this very instance, or of none that can be told: it is looked up here. */
  | { readonly kind: 'own' }
  /** Of another that serves. `origin`: where it is reached. */
  | { readonly kind: 'other'; readonly name: string; readonly origin: string }
  /** Of one that does not answer now, and may come back. `retryAfterMs`: when that is decided. */
  | { readonly kind: 'unreachable'; readonly name: string; readonly retryAfterMs: number }
  /** Of one that is gone, as an earlier start of an instance is. */
  | { readonly kind: 'lost'; readonly name: string }

/** One instance, as an operator sees it. Instants are RFC 3339. */
export type InstanceRow = {
  readonly name: string
  readonly url: string
  readonly leases: number
  readonly connections: number
  readonly seenAt: string
  readonly startedAt: string
  readonly version: string
}

/** The cap of one target: `held` are permits of all instances together, `byInstance` of each by name. */
export type CapRow = {
  readonly cap: number
  readonly held: number
  readonly byInstance: Readonly<Record<string, number>>
}

export type FleetRows = {
  readonly instances: readonly InstanceRow[]
  readonly caps: Readonly<Record<string, CapRow>>
}

/** The permits of one target, as this instance has and uses them. */
export type PermitMeters = {
  readonly cap: number
  /** Infinity where nothing but the pool bounds it. */
  readonly granted: number
  readonly taken: number
  readonly wanting: number
  /** For how long it lacked what its callers wanted, each time until it had a permit more. */
  readonly waits: DurationCounts
}
