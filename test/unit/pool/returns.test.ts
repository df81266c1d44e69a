/** Connections that are looked at after their release, and who waits for them. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { TargetInput } from '../../../src/config/target-input.ts'
import { settle } from '../../support/fake-connector.ts'
import { TargetPoolBench } from '../../support/target-pool-bench.ts'

/** A connection that tenant `a` has given back, and that nobody has judged yet. */
async function returning(more: TargetInput = {}): Promise<TargetPoolBench> {
  const bench = new TargetPoolBench({ max: 4 }, 1_000, more)
  void bench.pool.release(await bench.lease('a'), null)
  await settle()
  expect(bench.pool.counts.quarantined).toBe(1)
  return bench
}

describe('a caller that comes behind a release', () => {
  test('waits for the connection instead of another', async () => {
    const bench = await returning()
    const asked = bench.ask({ tenant: 'a' })
    await settle()
    expect(asked.slot).toBeNull()
    bench.connector.connections[0]?.judge('clean')
    await settle()
    expect(asked.slot?.uses).toBe(2)
    expect(bench.connector.dials).toHaveLength(1)
    expect(bench.waiting).toBe(0)
  })

  test('waits for it without a bound of its own for others, too', async () => {
    const bench = await returning()
    const asked = bench.ask({ tenant: 'a', waitMs: 0 })
    await settle()
    expect([asked.slot, asked.error]).toEqual([null, null])
    bench.connector.connections[0]?.judge('clean')
    await settle()
    expect(asked.slot).not.toBeNull()
  })

  test('has another dialled at once where it is the second', async () => {
    const bench = await returning()
    const [one, two] = [bench.ask({ tenant: 'a' }), bench.ask({ tenant: 'a' })]
    await settle()
    expect(bench.connector.pending).toHaveLength(1)
    bench.connector.connections[0]?.judge('clean')
    bench.connector.pending[0]?.succeed()
    await settle()
    expect([one.slot, two.slot]).not.toContain(null)
  })

  test('has another dialled where it is of another tenant', async () => {
    const bench = await returning()
    const [b, a] = [bench.ask({ tenant: 'b' }), bench.ask({ tenant: 'a' })]
    await settle()
    expect(bench.connector.pending).toHaveLength(1)
    bench.connector.connections[0]?.judge('clean')
    bench.connector.pending[0]?.succeed()
    await settle()
    expect([a.slot?.tenant, b.slot?.tenant]).toEqual(['a', 'b'])
    expect(bench.connector.dials).toHaveLength(2)
  })

  test('has another dialled where a dialog is run on it, which may take its time', async () => {
    const onRelease = [{ send: 'RESET\n' }, { expect: '+OK\n' }]
    const bench = await returning({ onRelease })
    bench.ask({ tenant: 'a' })
    await settle()
    expect(bench.connector.pending).toHaveLength(1)
  })

  test.each(['unread', 'poisoned', 'half_closed'] as const)(
    'has another dialled once it is found to be %s',
    async found => {
      const bench = await returning()
      const asked = bench.ask({ tenant: 'a' })
      await settle()
      bench.connector.connections[0]?.judge(found)
      await settle()
      expect(bench.connector.pending).toHaveLength(1)
      bench.connector.pending[0]?.succeed()
      await settle()
      expect(asked.slot?.uses).toBe(1)
    },
  )

  test('has another dialled where it dies', async () => {
    const bench = await returning()
    const asked = bench.ask({ tenant: 'a' })
    bench.connector.connections[0]?.die()
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(asked.slot).not.toBeNull()
  })
})

describe('where the breaker is open', () => {
  /** Every dial fails until nothing is dialled any more. */
  async function broken(): Promise<TargetPoolBench> {
    const bench = new TargetPoolBench({ max: 4 }, 1_000, { breaker: { failures: 1 } })
    const held = await bench.lease('a')
    bench.ask({ tenant: 'a' })
    await settle()
    bench.connector.pending[0]?.fail()
    await settle()
    expect(bench.pool.health.breaker).toBe('open')
    void bench.pool.release(held, null)
    return bench
  }

  test('a caller waits for the connection that comes back', async () => {
    const bench = await broken()
    const [one, two] = [bench.ask({ tenant: 'a' }), bench.ask({ tenant: 'a' })]
    await settle()
    expect(two.error).toMatchObject({ code: 'BREAKER_OPEN' })
    bench.connector.connections[0]?.judge('clean')
    await settle()
    expect(one.slot).not.toBeNull()
  })

  test.each(['refused', 'dead'])('and fails where that is %s', async how => {
    const bench = await broken()
    const asked = bench.ask({ tenant: 'a' })
    await settle()
    if (how === 'dead') bench.connector.connections[0]?.die()
    else bench.connector.connections[0]?.judge('unread')
    await settle()
    expect(asked.error).toMatchObject({ code: 'BREAKER_OPEN' })
    expect(bench.waiting).toBe(0)
  })
})

describe('a look that takes its time', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('has another dialled, and the connection serves whoever is first', async () => {
    const bench = await returning()
    const asked = bench.ask({ tenant: 'a' })
    await settle()
    bench.nowMs += LIMITS.returnMs
    vi.advanceTimersByTime(LIMITS.returnMs)
    expect(bench.connector.pending).toHaveLength(1)
    bench.connector.connections[0]?.judge('clean')
    await settle()
    expect(asked.slot?.uses).toBe(2)
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(bench.pool.counts).toMatchObject({ idle: 1, leased: 1 })
  })
})
