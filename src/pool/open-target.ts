/** The pool of one target, as a part of the pool that it belongs to. */
import type { Target } from '../config/target.ts'
import type { Dial } from '../threads/protocol.ts'
import type { PoolDeps } from './pool-deps.ts'
import { TargetNews } from './target/pool-news.ts'
import { TargetPool } from './target/target-pool.ts'
import type { TargetPoolDeps } from './target/target-pool-deps.ts'

/** What all targets of a pool share. */
export type SharedByTargets = Pick<
  PoolDeps,
  'fleet' | 'random' | 'onEvent' | 'news' | 'tallies' | 'permitsOf'
> &
  Pick<TargetPoolDeps, 'waiterCount' | 'now' | 'onFault' | 'onRefreshed'>

export function openTarget(
  shared: SharedByTargets,
  name: string,
  target: Target,
  dial: Dial,
  origin: TargetPoolDeps['origin'],
): TargetPool {
  const { fleet, random = Math.random, onEvent, news, tallies, permitsOf, waiterCount, now, onFault } = shared
  return new TargetPool({
    ...{ name, target, dial, origin, waiterCount, now, random, onFault, onRefreshed: shared.onRefreshed },
    connector: fleet,
    tidings: new TargetNews(news, name),
    tally: tallies?.begin(name, origin),
    // What callers describe is their own, and nobody else counts it.
    permitsOf: origin === 'named' ? permitsOf : undefined,
    onLost: how => onEvent?.({ kind: 'lost', target: name, how }),
  })
}
