/**
 * A running pool is told anew what it is to be: all of it in one step of its thread, so that no call sees a part of it.
 * Leases that may not go on by what holds now are ended, and nothing else fails.
 */
import { SockpoolError } from '../base/errors.ts'
import type { LeaseRecord } from './lease/lease-record.ts'
import type { Leases } from './leases.ts'
import type { MessageForwards } from './message-forwards.ts'
import type { Multiplexers } from './multiplex/multiplexers.ts'
import type { PoolChange, ReloadResult } from './pool-change.ts'
import type { PoolNews } from './target/pool-news.ts'
import type { TargetPool } from './target/target-pool.ts'
import type { TargetPools } from './target/target-pools.ts'
import type { WaiterCount } from './target/waiter-count.ts'

export type ReloadedParts = {
  readonly pools: TargetPools
  readonly leases: Leases
  readonly multiplexers: Multiplexers
  readonly messages: MessageForwards
  readonly waiterCount: WaiterCount
  readonly news: PoolNews
  readonly onFault: (error: unknown) => void
}

export function applyChange(parts: ReloadedParts, change: PoolChange): ReloadResult {
  const { pools, leases, multiplexers, messages, waiterCount } = parts
  const { targets, egress, leasesMax, waitersMax, mayUse } = change
  egress?.apply()
  leases.max = leasesMax ?? leases.max
  waiterCount.max = waitersMax ?? waiterCount.max
  // Whoever may not go on is gone before connections move to whoever waits.
  const refusal = (tenant: string, pool: TargetPool): SockpoolError | null =>
    mayUse(tenant, nameOf(pool)) ? null : mayNotUse()
  for (const pool of pools.all) pool.refuse(tenant => refusal(tenant, pool))
  multiplexers.refuse(refusal)
  const closed = leases.listeners.revoke(change.mayListen)
  const leasesEnded = closed.leases + leases.revoke((lease, pool) => mayGoOn(lease, pool, change))
  const connectionsRetired = targets === null ? 0 : pools.replace(targets, parts.onFault)
  // What was judged by the old rules, and is not connected yet, is judged again.
  if (egress !== null) for (const pool of pools.described) pool.control.reconnect()
  multiplexers.tend()
  messages.tend()
  parts.news.tell('reload', null, { reason: 'applied' })
  return { leasesEnded, connectionsRetired, listenersClosed: closed.listeners }
}

function mayGoOn(
  { terms, connection }: LeaseRecord,
  pool: TargetPool | undefined,
  { targets, egress, mayUse }: PoolChange,
): boolean {
  // It was accepted: what holds of the place where it came in, its listener has heard.
  if (pool === undefined) return mayUse(terms.tenant, null)
  const name = nameOf(pool)
  if (!mayUse(terms.tenant, name)) return false
  if (name !== null) return targets === null || Object.hasOwn(targets, name)
  const [place] = pool.target.hosts
  return egress === null || place === undefined || egress.admits(place, connection.facts.remoteAddress)
}

function nameOf({ name, origin }: TargetPool): string | null {
  return origin === 'named' ? name : null
}

function mayNotUse(): SockpoolError {
  return new SockpoolError('FORBIDDEN', 'this token may not use this target any more')
}
