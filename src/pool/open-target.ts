/** The pool of one target, as a part of the pool that it belongs to. */
import type { Target } from '../config/target.ts'
import type { Dial } from '../threads/protocol.ts'
import type { PoolDeps } from './pool-deps.ts'
import { TargetNews } from './target/pool-news.ts'
import { TargetPool } from './target/target-pool.ts'
import type { TargetPoolDeps } from './target/target-pool-deps.ts'

/** What all targets of a pool share. */
export type SharedByTargets = Pick<PoolDeps, 'fleet' | 'random' | 'onEvent' | 'news' | 'tallies'> &
  Pick<TargetPoolDeps, 'waiterCount' | 'now' | 'onFault'>

export function openTarget(
  { fleet, random = Math.random, onEvent, news, tallies, waiterCount, now, onFault }: SharedByTargets,
  name: string,
  target: Target,
  dial: Dial,
  origin: TargetPoolDeps['origin'],
): TargetPool {
  return new TargetPool({
    ...{ name, target, dial, origin, waiterCount, now, random, onFault },
    connector: fleet,
    tidings: new TargetNews(news, name),
    tally: tallies?.begin(name, origin),
    onLost: how => onEvent?.({ kind: 'lost', target: name, how }),
  })
}
