import { describe, expect, test } from 'vitest'
import type { Slot } from '../../../src/pool/target/slot.ts'
import { settle } from '../../support/fake-connector.ts'
import { type Asked, TargetPoolBench } from '../../support/target-pool-bench.ts'

/** Everything that was asked to close closes, and every dial succeeds. */
async function play({ connector }: TargetPoolBench): Promise<void> {
  await settle()
  connector.obey()
  await settle()
  for (const dial of connector.pending) dial.succeed()
  await settle()
}

function slotOf({ slot }: Asked): Slot {
  if (slot === null) throw new Error('it has no connection')
  return slot
}

/** Tenant `a` holds all connections, and has as many callers waiting. */
async function heldByOne(max: number): Promise<{ bench: TargetPoolBench; held: Slot[] }> {
  const bench = new TargetPoolBench({ max })
  const held: Slot[] = []
  for (let count = 0; count < max; count++) held.push(await bench.lease('a'))
  return { bench, held }
}

describe('a connection that comes back', () => {
  test('makes room for the caller at the head, whoever else waits behind it', async () => {
    const { bench, held } = await heldByOne(1)
    const [b, a] = [bench.ask({ tenant: 'b' }), bench.ask({ tenant: 'a' })]
    await settle()
    for (const slot of held) await bench.giveBack(slot)
    await settle()
    expect([b.slot, a.slot]).toEqual([null, null])
    await play(bench)
    expect(b.slot?.tenant).toBe('b')
    expect(a.slot).toBeNull()
    expect(bench.pool.history.closed).toEqual({ evicted: 1 })
  })

  test('makes room once for each who needs it, and is lent on after that', async () => {
    const { bench, held } = await heldByOne(4)
    const heads = [bench.ask({ tenant: 'b' }), bench.ask({ tenant: 'c' })]
    const behind = [bench.ask({ tenant: 'a' }), bench.ask({ tenant: 'a' })]
    await settle()
    for (const slot of held) await bench.giveBack(slot)
    await settle()
    expect(behind.map(({ slot }) => slot)).not.toContain(null)
    await play(bench)
    expect(heads.map(({ slot }) => slot?.tenant)).toEqual(['b', 'c'])
    expect(bench.pool.history.closed).toEqual({ evicted: 2 })
  })

  test('is lent on where the dial for the head is under way already', async () => {
    const { bench, held } = await heldByOne(2)
    const [b, a] = [bench.ask({ tenant: 'b' }), bench.ask({ tenant: 'a' })]
    await settle()
    const [first, second] = held as [Slot, Slot]
    await bench.giveBack(first)
    bench.connector.obey()
    await settle()
    expect(bench.pool.counts).toMatchObject({ connecting: 1, leased: 1 })
    await bench.giveBack(second)
    await settle()
    expect([b.slot, a.slot]).toEqual([null, second])
  })

  test('serves who is behind when the head leaves, in the place that was made', async () => {
    const { bench, held } = await heldByOne(1)
    const controller = new AbortController()
    const [b, a] = [bench.ask({ tenant: 'b', signal: controller.signal }), bench.ask({ tenant: 'a' })]
    await settle()
    for (const slot of held) await bench.giveBack(slot)
    controller.abort()
    await play(bench)
    expect(b.error).toMatchObject({ code: 'ABORTED' })
    expect(a.slot?.tenant).toBe('a')
  })

  test('leaves the head to its own dial’s failure, and those behind to the next dial', async () => {
    const { bench, held } = await heldByOne(1)
    const [b, a] = [bench.ask({ tenant: 'b' }), bench.ask({ tenant: 'a' })]
    await settle()
    for (const slot of held) await bench.giveBack(slot)
    bench.connector.obey()
    await settle()
    bench.connector.pending[0]?.fail()
    await settle()
    expect(b.error).toMatchObject({ code: 'CONNECT_REFUSED' })
    await play(bench)
    expect(a.slot?.tenant).toBe('a')
  })

  test('makes room also beside one that takes its time to send its last bytes', async () => {
    const { bench, held } = await heldByOne(2)
    const [b, a] = [bench.ask({ tenant: 'b' }), bench.ask({ tenant: 'a' })]
    await settle()
    const [first, second] = held as [Slot, Slot]
    void bench.pool.release(first, 'half_closed', true)
    expect(bench.pool.counts).toMatchObject({ closing: 1 })
    await bench.giveBack(second)
    await settle()
    expect(a.slot).toBeNull()
    expect(bench.pool.counts).toMatchObject({ closing: 2 })
    for (const connection of bench.connector.alive)
      if (connection.io.channel.shut === 'abort') connection.die('closed')
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(b.slot?.tenant).toBe('b')
  })

  test('is refilled to the warm minimum when the caller that it made room for has left', async () => {
    const bench = new TargetPoolBench({ max: 1, min: 1 })
    const held = await bench.lease('a')
    const controller = new AbortController()
    bench.ask({ tenant: 'b', signal: controller.signal })
    await settle()
    await bench.giveBack(held)
    controller.abort()
    await play(bench)
    bench.pool.sweep()
    await play(bench)
    expect(bench.pool.counts).toMatchObject({ idle: 1, closing: 0 })
  })
})

describe('a caller whose tenant holds connections', () => {
  test('lets others pass for one round and no longer, while its own do not come back', async () => {
    const bench = new TargetPoolBench({ max: 4 })
    const held = [
      await bench.lease('b'),
      await bench.lease('b'),
      await bench.lease('a'),
      await bench.lease('a'),
    ]
    const head = bench.ask({ tenant: 'b' })
    await settle()
    let slot = held[2] as Slot
    let passes = 0
    for (; passes < 20; passes++) {
      const next = bench.ask({ tenant: 'a' })
      await settle()
      await bench.giveBack(slot)
      await settle()
      if (next.slot === null) break
      slot = slotOf(next)
    }
    expect(passes).toBe(3)
    await play(bench)
    expect(head.slot?.tenant).toBe('b')
  })

  test('has its own connection when that one comes back first', async () => {
    const bench = new TargetPoolBench({ max: 2 })
    const [a, b] = [await bench.lease('a'), await bench.lease('b')]
    const [laterB, laterA] = [bench.ask({ tenant: 'b' }), bench.ask({ tenant: 'a' })]
    await settle()
    await bench.giveBack(a)
    await bench.giveBack(b)
    await settle()
    expect([laterB.slot, laterA.slot]).toEqual([b, a])
    expect(bench.pool.history.closed).toEqual({})
  })

  test('shares evenly with another that always waits too, and then both reuse', async () => {
    const { bench, held } = await heldByOne(10)
    const waiting: { readonly tenant: string; readonly asked: Asked }[] = []
    const ask = (tenant: string): void => void waiting.push({ tenant, asked: bench.ask({ tenant }) })
    for (let count = 0; count < 15; count++) ask('a')
    for (let count = 0; count < 25; count++) ask('b')
    const out = [...held]
    const served = new Map([
      ['a', 0],
      ['b', 0],
    ])
    for (let round = 0; round < 500; round++) {
      const slot = out.shift()
      if (slot !== undefined) {
        ask(slot.tenant ?? '')
        await bench.giveBack(slot)
      }
      await play(bench)
      for (const { tenant, asked } of waiting.filter(one => one.asked.slot !== null)) {
        served.set(tenant, (served.get(tenant) ?? 0) + 1)
        out.push(slotOf(asked))
      }
      waiting.splice(0, waiting.length, ...waiting.filter(({ asked }) => asked.slot === null))
    }
    expect(Math.abs((served.get('a') ?? 0) - (served.get('b') ?? 0))).toBeLessThan(60)
    // Five move from one to the other, and now and then one for a caller that others have passed for a round.
    expect(bench.pool.history.opened - 10).toBeLessThan(15)
  })
})
