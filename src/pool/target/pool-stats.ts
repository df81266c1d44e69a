/** Rows about targets and connections, for operators. Plain data; instants as ages in milliseconds. */
import type { BreakerName } from './breaker.ts'
import type { HostStats } from './hosts.ts'
import type { Slot, SlotStateName } from './slot.ts'
import type { TargetStateName } from './target-control.ts'
import type { TargetPool } from './target-pool.ts'

/** How much is going on in a whole pool. */
export type PoolStats = {
  readonly leases: number
  readonly waiters: number
  readonly connections: number
  readonly targets: number
}

/** How many callers share the connections of a target, and how that goes. */
export type MultiplexStats = {
  readonly connections: number
  /** Requests whose answers are awaited, orphans among them. */
  readonly inFlight: number
  readonly queued: number
  /** Answers that are awaited for callers that have gone. */
  readonly orphans: number
  /** Messages so far that answered nobody. */
  readonly unsolicited: number
}

export type TargetStats = {
  readonly name: string
  /** Whose described target it is; null for a configured one. */
  readonly tenant: string | null
  readonly state: TargetStateName
  readonly connections: Readonly<Record<SlotStateName, number>> & {
    readonly max: number
    readonly min: number
  }
  readonly waiters: number
  /** What a new caller would wait; 0 where there is room, null where nobody knows yet. */
  readonly expectedWaitMs: number | null
  readonly breaker: BreakerName
  readonly hosts: readonly HostStats[]
  /** Null where nothing is shared. */
  readonly multiplex: MultiplexStats | null
  readonly reuse: 'clean' | 'never'
  readonly opened: number
  /** Connections closed so far, by reason. */
  readonly closed: Readonly<Record<string, number>>
}

export type ConnectionStats = {
  readonly id: string
  readonly target: string
  readonly tenant: string | null
  readonly state: SlotStateName
  readonly worker: number
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly tls: boolean
  readonly ageMs: number
  /** Leases it has served, the present one included. */
  readonly uses: number
  /** Of the present lease. */
  readonly leaseAgeMs: number | null
  readonly lastOperation: string | null
}

export function targetStats(
  pool: TargetPool,
  tenant: string | null,
  multiplex: MultiplexStats | null,
): TargetStats {
  const { opened, closed } = pool.history
  const { max, min } = pool.target.pool
  return {
    name: pool.name,
    tenant,
    state: pool.control.state,
    connections: { ...pool.counts, max, min },
    waiters: pool.waiters,
    expectedWaitMs: pool.expectedWaitMs,
    breaker: pool.breaker,
    hosts: pool.hosts,
    multiplex,
    reuse: pool.target.reuse,
    opened,
    closed,
  }
}

/** The rows of its connections. */
export function rowsOf(pool: TargetPool, nowMs: number): ConnectionStats[] {
  return pool.connections.flatMap(slot => connectionStats(pool, slot, nowMs))
}

/** The row of a slot; none while it is still being dialled. */
function connectionStats(pool: TargetPool, slot: Slot, nowMs: number): ConnectionStats[] {
  const { connection, lease } = slot
  if (connection === null) return []
  const { localAddress, localPort, remoteAddress, remotePort, tls } = connection.facts
  const row = {
    id: connection.id,
    target: pool.name,
    tenant: slot.tenant,
    state: slot.state.kind,
    worker: connection.worker,
    localAddress,
    localPort,
    remoteAddress,
    remotePort,
    tls: tls !== null,
    ageMs: Math.round(nowMs - slot.createdMs),
    uses: slot.uses,
    leaseAgeMs: lease ? Math.round(lease.ageMs) : null,
    lastOperation: lease?.lastOperation ?? null,
  }
  return [row]
}
