/** What a pool has now, in numbers that stand still while nothing happens. */
import type { Pool } from '../../src/pool/pool.ts'

type PoolStats = ReturnType<Pool['stats']>

/** How many connections there are, in whatever state. */
export function openConnections({ stats }: { readonly stats: PoolStats }): number {
  return Object.values(stats.connections).reduce((all, count) => all + count, 0)
}

export function poolCounts(pool: Pick<Pool, 'stats'>): {
  readonly leases: number
  readonly waiters: number
  readonly connections: number
  readonly targets: number
} {
  const stats = pool.stats()
  const { leases, waiters, targets } = stats
  return { leases, waiters, connections: openConnections({ stats }), targets }
}
