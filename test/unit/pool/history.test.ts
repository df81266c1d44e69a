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

test('the tally of a target counts no connection as closed that was never opened', async () => {
  const bench = new TargetPoolBench({ max: 2 })
  const refused = bench.ask()
  await settle()
  bench.connector.pending[0]?.fail()
  await settle()
  expect(refused.error?.code).toBe('CONNECT_REFUSED')
  const slot = await bench.lease()
  void bench.pool.release(slot, 'discarded')
  bench.connector.obey()
  await settle()
  bench.ask()
  await settle()
  const closing = bench.pool.close()
  bench.connector.pending[0]?.fail()
  await closing
  // The row of the target has each slot that was freed.
  expect(bench.pool.history).toEqual({ opened: 1, closed: { failed: 1, discarded: 1, killed: 1 }, served: 1 })
  expect([bench.tally.opened, Object.fromEntries(bench.tally.closed)]).toEqual([1, { discarded: 1 }])
})
