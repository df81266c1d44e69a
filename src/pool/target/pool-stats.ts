/** Rows about targets and connections, for operators. Plain data; instants as ages in milliseconds. */
import { type MemoryUse, memoryUse } from '../../base/memory-use.ts'
import type { ParseLoad } from '../../base/parse-load.ts'
import type { IoConnection } from '../../threads/io-connection.ts'
import type { BreakerName } from './breaker.ts'
import type { OperationRow } from './flight-recorder.ts'
import type { HostStats } from './hosts.ts'
import { SLOT_STATES, type Slot, type SlotLease, type SlotStateName } from './slot.ts'
import type { SlotCounts } from './slots.ts'
import type { TargetStateName } from './target-control.ts'
import type { TargetPool } from './target-pool.ts'

/** How much is going on in a whole pool. */
export type PoolStats = {
  readonly leases: number
  readonly waiters: number
  /** By state. */
  readonly connections: SlotCounts
  /** Configured ones, and those that callers have described of late. */
  readonly targets: number
  readonly parse: ParseLoad
  /** Bytes, of the whole process; `ringBytes`: set aside for the rings of connections, resident only where it was touched, and for what leases keep to be read again. */
  readonly memory: MemoryUse & { readonly ringBytes: number }
  readonly uptimeMs: number
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

/** The clients of front doors that have a connection of a target only while a message is under way. */
export type MessageForwardStats = {
  readonly clients: number
  /** Clients that keep a connection until they leave. */
  readonly pinned: number
  /** How often so far a client was given a connection for good, or for as long as it blocks, by reason. */
  readonly pins: Readonly<Record<string, number>>
}

/** How a target is used beside leases. */
export type TargetUses = {
  /** Null where nothing is shared. */
  readonly multiplex: MultiplexStats | null
  /** Null where there was no such front door. */
  readonly messages: MessageForwardStats | null
}

export type TargetStats = TargetUses & {
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
  readonly reuse: 'clean' | 'never'
  readonly opened: number
  /** Connections closed so far, by reason. */
  readonly closed: Readonly<Record<string, number>>
  /** Leases so far, those that are out included. */
  readonly served: number
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
  /** Of the present lease, as all that follow; null where there is none. */
  readonly leaseAgeMs: number | null
  /** Milliseconds since its last operation, or its last byte. */
  readonly leaseIdleMs: number | null
  readonly leaseBytesIn: number | null
  readonly leaseBytesOut: number | null
  readonly lastOperation: string | null
}

/** A connection, and what was done with it last, oldest first. */
export type ConnectionReport = ConnectionStats & { readonly operations: readonly OperationRow[] }

export function poolStats(
  pools: readonly TargetPool[],
  {
    ringBytes,
    ...known
  }: Pick<PoolStats, 'leases' | 'targets' | 'parse' | 'uptimeMs'> & { readonly ringBytes: number },
): PoolStats {
  const connections = SLOT_STATES.map(
    state => [state, pools.reduce((all, { counts }) => all + counts[state], 0)] as const,
  )
  return {
    leases: known.leases,
    waiters: pools.reduce((all, { waiters }) => all + waiters, 0),
    connections: Object.fromEntries(connections) as SlotCounts,
    targets: known.targets,
    parse: known.parse,
    memory: { ...memoryUse(), ringBytes },
    uptimeMs: Math.round(known.uptimeMs),
  }
}

export function targetStats(pool: TargetPool, tenant: string | null, uses: TargetUses): TargetStats {
  const { opened, closed, served } = pool.history
  const { max, min } = pool.target.pool
  return {
    name: pool.name,
    tenant,
    state: pool.control.state,
    connections: { ...pool.counts, max, min },
    waiters: pool.waiters,
    expectedWaitMs: pool.expectedWaitMs,
    ...pool.health,
    ...uses,
    reuse: pool.target.reuse,
    opened,
    closed,
    served,
  }
}

/** The rows of its connections. */
export function rowsOf(pool: TargetPool, nowMs: number): ConnectionStats[] {
  return pool.connections.flatMap(slot => connectionStats(pool, slot, nowMs))
}

/** The connection of this id; null where the target has none. */
export function reportOf(pool: TargetPool, id: string, nowMs: number): ConnectionReport | null {
  const slot = pool.connections.find(({ connection }) => connection?.id === id)
  const [row] = slot === undefined ? [] : connectionStats(pool, slot, nowMs)
  return slot === undefined || row === undefined ? null : { ...row, operations: slot.flight.rows() }
}

/** The row of a slot; none while it is still being dialled. */
function connectionStats(pool: TargetPool, slot: Slot, nowMs: number): ConnectionStats[] {
  const { connection, lease } = slot
  if (connection === null) return []
  const about = {
    target: pool.name,
    tenant: slot.tenant,
    state: slot.state.kind,
    ageMs: Math.round(nowMs - slot.createdMs),
    uses: slot.uses,
    lease,
  }
  return [connectionRow(connection, about)]
}

/** `lease`: the present one. */
export function connectionRow(
  { id, worker, facts }: Pick<IoConnection, 'id' | 'worker' | 'facts'>,
  {
    target,
    tenant,
    state,
    ageMs,
    uses,
    lease,
  }: Pick<ConnectionStats, 'target' | 'tenant' | 'state' | 'ageMs' | 'uses'> & {
    readonly lease: Pick<SlotLease, 'ageMs' | 'idleMs' | 'bytesIn' | 'bytesOut' | 'lastOperation'> | null
  },
): ConnectionStats {
  const { localAddress, localPort, remoteAddress, remotePort, tls } = facts
  return {
    id,
    target,
    tenant,
    state,
    worker,
    localAddress,
    localPort,
    remoteAddress,
    remotePort,
    tls: tls !== null,
    ageMs,
    uses,
    leaseAgeMs: lease ? Math.round(lease.ageMs) : null,
    leaseIdleMs: lease ? Math.round(lease.idleMs) : null,
    leaseBytesIn: lease?.bytesIn ?? null,
    leaseBytesOut: lease?.bytesOut ?? null,
    lastOperation: lease?.lastOperation ?? null,
  }
}
