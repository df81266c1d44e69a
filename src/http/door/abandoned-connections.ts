/**
 * What the pool has dialled for callers who have left. A described target belongs to one tenant, so a connection that
 * nobody awaits any more is still that tenant's; one of a configured target serves whoever comes next.
 */
import type { TargetRow } from '../parts.ts'

/** Connections of the tenant's described targets that are open or being opened, and that no lease holds or awaits. */
export function abandonedConnections(rows: readonly TargetRow[], tenant: string): number {
  let count = 0
  for (const { tenant: owner, connections, waiters = 0 } of rows) {
    if (owner !== tenant || connections === undefined) continue
    count += connections.idle + Math.max(0, connections.connecting - waiters)
  }
  return count
}
