/** Lets other threads of the process use the pool: each by a line of its own. */
import { AttachListener } from '../threads/attach-listener.ts'
import { AttachedThread, type AttachHost } from './attached/attached-thread.ts'
import { frameOr } from './lease/exchange-request.ts'
import type { Leases } from './leases.ts'
import type { Multiplexers } from './multiplex/multiplexers.ts'
import type { PoolDeps } from './pool-deps.ts'
import type { TargetPools } from './target/target-pools.ts'

export type AttachedParts = Pick<AttachHost, 'stats' | 'order' | 'kill'> & {
  readonly leases: Leases
  readonly pools: TargetPools
  readonly multiplexers: Multiplexers
}

export function attachListener(
  { fleet, parse, onEvent }: PoolDeps,
  { leases, pools, multiplexers, ...host }: AttachedParts,
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
        exchange: async (target, exchange) => {
          const found = pools.find(target, '')
          // Before anything is dialled for an exchange that cannot end.
          if ('messages' in exchange.read) frameOr(exchange.read.frame, pools.frameOf(target))
          return await multiplexers.exchange(found, exchange)
        },
        tallyOf: target => pools.tallyOf(target),
        ...host,
        setHolder: (holder, doorbell) => fleet.setHolder(holder, doorbell),
      }),
    error => onEvent?.({ kind: 'fault', error }),
  )
}
