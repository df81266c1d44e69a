import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { Slot } from '../../../src/pool/target/slot.ts'
import { settle } from '../../support/fake-connector.ts'
import { HandPermits } from '../../support/hand-permits.ts'
import { type Asked, TargetPoolBench } from '../../support/target-pool-bench.ts'

/** Everything that was asked to close closes, and every dial succeeds. */
async function play({ connector }: TargetPoolBench): Promise<void> {
  await settle()
  connector.obey()
  await settle()
  for (const dial of connector.pending) dial.succeed()
  await settle()
}

/** Has one connection serve all that wait, one after the other; the names of the callers as they were served. */
async function served(
  bench: TargetPoolBench,
  held: Slot,
  callers: ReadonlyMap<Asked, string>,
): Promise<string[]> {
  const names: string[] = []
  bench.onServed = asked => names.push(callers.get(asked) ?? '?')
  let slot = held
  while (names.length < callers.size) {
    const count = names.length
    await bench.giveBack(slot)
    await play(bench)
    const next = [...callers.keys()].find(asked => asked.slot?.state.kind === 'leased')
    if (names.length === count || next?.slot == null) throw new Error('nobody was served')
    slot = next.slot
  }
  return names
}

describe('tenants that wait', () => {
  test('take turns, however many of one wait, and each is served first in, first out', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const held = await bench.lease('a')
    const callers = new Map<Asked, string>()
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'])
      callers.set(bench.ask({ tenant: name.slice(0, 1) }), name)
    expect(await served(bench, held, callers)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
  })

  test('have turns by their weight', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const held = await bench.lease('a')
    const callers = new Map<Asked, string>()
    for (let count = 0; count < 6; count++) callers.set(bench.ask({ tenant: 'a', weight: 2 }), 'a')
    for (let count = 0; count < 3; count++) callers.set(bench.ask({ tenant: 'b' }), 'b')
    const names = await served(bench, held, callers)
    expect(names.slice(0, 6).filter(name => name === 'a')).toHaveLength(4)
  })

  test('use no turn with callers that leave', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const held = await bench.lease('a')
    const controller = new AbortController()
    for (let count = 0; count < 9; count++) bench.ask({ tenant: 'a', signal: controller.signal })
    const callers = new Map([[bench.ask({ tenant: 'a' }), 'a1']])
    callers.set(bench.ask({ tenant: 'b' }), 'b1')
    callers.set(bench.ask({ tenant: 'b' }), 'b2')
    controller.abort()
    await settle()
    expect(await served(bench, held, callers)).toEqual(['a1', 'b1', 'b2'])
  })
})

describe('the error of a wait', () => {
  test('says the position, the wait that is to be expected, and who holds the connections', async () => {
    const bench = new TargetPoolBench({ max: 2 })
    const slot = await bench.lease('a')
    bench.nowMs += 100
    await bench.giveBack(slot)
    await bench.lease('a')
    await bench.lease('b')
    bench.ask({ tenant: 'a' })
    const late = bench.pool.lease({ tenant: 'b', waitMs: 5 }, held => held)
    await expect(late).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      position: 2,
      expectedWaitMs: 100,
      holders: [
        { tenant: 'a', leases: 1 },
        { tenant: 'b', leases: 1 },
      ],
    })
    const exhausted = bench.ask({ waitMs: 0 })
    await settle()
    expect(exhausted.error?.toJSON()).toMatchObject({ code: 'POOL_EXHAUSTED', holders: [{}, {}] })
    expect(bench.pool.expectedWaitMs).toBe(100)
  })

  test('names those that hold most, and not all', async () => {
    const bench = new TargetPoolBench({ max: 40, maxConnecting: 40 })
    for (let count = 0; count < 20; count++) await bench.lease(`t${count}`)
    for (let count = 0; count < 20; count++) await bench.lease('most')
    const asked = bench.ask({ waitMs: 0 })
    await settle()
    expect(asked.error?.holders).toHaveLength(LIMITS.holdersMax)
    expect(asked.error?.holders?.[0]).toEqual({ tenant: 'most', leases: 20 })
  })
})

describe('a queue that stands', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  /** One connection, whose leases take 100 ms each. */
  async function slowBench(): Promise<{ bench: TargetPoolBench; held: Slot }> {
    const bench = new TargetPoolBench({ max: 1 })
    const slot = await bench.lease('a')
    bench.nowMs += 100
    await bench.giveBack(slot)
    return { bench, held: await bench.lease('a') }
  }

  test('loses the calls of the tenant with the most waiting that could not be served in their time', async () => {
    const { bench } = await slowBench()
    const many = Array.from({ length: 100 }, () => bench.ask({ tenant: 'many', waitMs: 2_000 }))
    const few = Array.from({ length: 3 }, () => bench.ask({ tenant: 'few', waitMs: 2_000 }))
    bench.nowMs += 100
    vi.advanceTimersByTime(2 * LIMITS.queueIntervalMs)
    await settle()
    const refused = many.filter(({ error }) => error !== null)
    // 1.9 s are left, in which nineteen leases end; twice as many may hope.
    expect(refused.length).toBeGreaterThan(50)
    expect(many.slice(0, 19).every(({ error }) => error === null)).toBe(true)
    expect(refused[0]?.error).toMatchObject({
      code: 'QUEUE_FULL',
      retryable: true,
      holders: [{ tenant: 'a' }],
    })
    expect(few.every(({ error }) => error === null)).toBe(true)
  })

  test('loses nobody while permits alone are lacking, until those of other instances would have come', async () => {
    const permits = new HandPermits(1)
    const bench = new TargetPoolBench({ max: 4 }, 1_000, {}, permits.permitsOf)
    const slot = await bench.lease('a')
    bench.nowMs += 100
    await bench.giveBack(slot)
    await bench.lease('a')
    const many = Array.from({ length: 100 }, () => bench.ask({ tenant: 'many', waitMs: 2_000 }))
    const refused = async (ms: number): Promise<number> => {
      bench.nowMs += ms
      vi.advanceTimersByTime(2 * LIMITS.queueIntervalMs)
      await settle()
      return many.filter(({ error }) => error !== null).length
    }
    expect(await refused(LIMITS.fleetWantMs - 500)).toBe(0)
    expect(await refused(490)).toBe(0)
    expect(await refused(20)).toBeGreaterThan(50)
  })

  test('loses nobody who can be served in time', async () => {
    const { bench, held } = await slowBench()
    const callers = Array.from({ length: 30 }, () => bench.ask({ tenant: 'a', waitMs: 4_000 }))
    bench.nowMs += 400
    vi.advanceTimersByTime(2 * LIMITS.queueIntervalMs)
    await settle()
    expect(callers.every(({ error }) => error === null)).toBe(true)
    await bench.giveBack(held)
  })

  test('loses nobody of the first round, however long a lease takes', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    await bench.lease('a')
    const asked = bench.ask({ tenant: 'b', waitMs: 5_000 })
    bench.nowMs += 4_900
    vi.advanceTimersByTime(2 * LIMITS.queueIntervalMs)
    await settle()
    expect(asked.error).toBeNull()
  })
})
