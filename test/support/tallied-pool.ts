/** A pool that counts what happens at its target `it`, as that of a service does. */
import { ParseTally } from '../../src/base/parse-tally.ts'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import { Samples } from '../../src/metrics/samples.ts'
import { addTargets } from '../../src/metrics/target-samples.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { TargetTallies, type TargetTally } from '../../src/pool/target/target-tally.ts'
import { openServicePool } from './pool-fixture.ts'

export type TalliedPool = {
  readonly pool: Pool
  readonly tallies: TargetTallies
  readonly tally: TargetTally
}

export function openTalliedPool(
  it: NonNullable<PoolOptions['targets']>[string],
  options: PoolOptions = {},
): TalliedPool {
  const tallies = new TargetTallies()
  const metered = { tallies, parse: new ParseTally(), onDenied: () => {} }
  const pool = openServicePool({ ...options, targets: { it } }, { metered })
  const tally = tallies.named.get('it')
  if (tally === undefined) throw new Error('the target is counted from its beginning')
  return { pool, tallies, tally }
}

/** Leases that were lost so far, for whatever reason, and the reasons. */
export function lostLeases({ lost }: TargetTally): Readonly<Record<string, number>> {
  return Object.fromEntries([...lost].filter(([, count]) => count > 0))
}

/** Callers that wait for the target, as they are exported. */
export function exportedWaiters(tallied: Omit<TalliedPool, 'tally'>): number | undefined {
  const samples = new Samples()
  addTargets(samples, tallied)
  return samples.of('waiters').find(({ labels }) => labels['target'] === 'it')?.value
}
