/** Lets other threads of the process use the pool: each by a line of its own. */
import { AttachListener } from '../threads/attach-listener.ts'
import { AttachedThread } from './attached/attached-thread.ts'
import type { Leases } from './leases.ts'
import type { PoolDeps } from './pool-deps.ts'
import type { PoolStats } from './target/pool-stats.ts'
import type { TargetPools } from './target/target-pools.ts'

export function attachListener(
  { fleet, parse, onEvent }: PoolDeps,
  leases: Leases,
  pools: TargetPools,
  stats: () => PoolStats,
): AttachListener {
  return new AttachListener(
    line =>
      new AttachedThread(line, {
        parse,
        acquire: (target, options, thread, make) => leases.acquire(target, options, thread, make),
        limitOf: (target, tenant) => {
          const { name, target: found } = pools.find(target, tenant)
          return { name, max: found.pool.max }
        },
        stats,
        setHolder: (holder, doorbell) => fleet.setHolder(holder, doorbell),
      }),
    error => onEvent?.({ kind: 'fault', error }),
  )
}
