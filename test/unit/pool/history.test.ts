import { expect, test } from 'vitest'
import { settle } from '../../support/fake-connector.ts'
import { TargetPoolBench } from '../../support/target-pool-bench.ts'

test('the history of a target counts the leases of the connections it has, and of those that are gone', async () => {
  const bench = new TargetPoolBench({ max: 2, maxUses: 2 })
  expect(bench.pool.history).toEqual({ opened: 0, closed: {}, served: 0 })
  const first = await bench.lease()
  expect(bench.pool.history.served).toBe(1)
  await bench.giveBack(first)
  const again = await bench.lease()
  expect(again).toBe(first)
  await bench.giveBack(again)
  bench.connector.obey()
  await settle()
  await bench.lease()
  expect(bench.pool.history).toEqual({ opened: 2, closed: { max_uses: 1 }, served: 3 })
})
