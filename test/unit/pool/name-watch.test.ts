/** Names that are looked up again, on a clock that the test moves. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { TargetInput } from '../../../src/config/target-input.ts'
import { settle } from '../../support/fake-connector.ts'
import { TargetPoolBench } from '../../support/target-pool-bench.ts'

const [OLD, NEW] = ['10.0.0.1', '10.0.0.2']

function benchOf(more: TargetInput = { hosts: ['db.test:1'] }): TargetPoolBench {
  const bench = new TargetPoolBench({ max: 4 }, 1_000, more)
  bench.connector.remoteAddress = OLD
  return bench
}

/** Lets so much time pass, with the sweep behind it. */
async function pass(bench: TargetPoolBench, ms: number): Promise<void> {
  bench.nowMs += ms
  bench.pool.sweep()
  await settle()
}

/** Begins to watch what is open, and has its name looked up; the look-up. */
async function lookedUp(bench: TargetPoolBench) {
  await pass(bench, 1)
  await pass(bench, LIMITS.dnsTtlMsMin)
  const last = bench.connector.lookUps.at(-1)
  if (last === undefined) throw new Error('nothing was looked up')
  return last
}

describe('a name that connections were dialled by', () => {
  test('is looked up again, and what lies idle to a vanished address is closed at once', async () => {
    const bench = benchOf()
    const [idle, held] = [await bench.lease(), await bench.lease()]
    await bench.giveBack(idle)
    const lookUp = await lookedUp(bench)
    expect(lookUp).toMatchObject({ name: 'db.test', known: [OLD] })
    lookUp.answer([NEW])
    await settle()
    expect(bench.pool.counts).toMatchObject({ idle: 0, leased: 1, closing: 1 })
    expect(await bench.giveBack(held)).toEqual({ outcome: 'closed', reason: 'dns' })
    bench.connector.obey()
    expect(bench.pool.history.closed).toEqual({ dns: 2 })
  })

  test('retires nothing while its answer still has the address, or where there is none', async () => {
    const bench = benchOf()
    const [idle, held] = [await bench.lease(), await bench.lease()]
    await bench.giveBack(idle)
    const lookUp = await lookedUp(bench)
    lookUp.answer([NEW, OLD], LIMITS.dnsTtlMsMin)
    await settle()
    await pass(bench, LIMITS.dnsTtlMsMin)
    expect(bench.connector.lookUps).toHaveLength(2)
    bench.connector.lookUps[1]?.fail()
    await settle()
    expect(bench.pool.counts).toMatchObject({ idle: 1, leased: 1 })
    expect(await bench.giveBack(held)).toMatchObject({ outcome: 'reused' })
  })

  test('keeps a leased connection whose address is back by the time it is', async () => {
    const bench = benchOf()
    const held = await bench.lease()
    const lookUp = await lookedUp(bench)
    lookUp.answer([NEW], 1)
    await settle()
    await pass(bench, LIMITS.dnsTtlMsMin)
    bench.connector.lookUps[1]?.answer([OLD])
    await settle()
    expect(await bench.giveBack(held)).toMatchObject({ outcome: 'reused' })
  })

  test.each([
    [0, LIMITS.dnsTtlMsMin],
    [5_000, 5_000],
    [60_000, LIMITS.dnsTtlMsMax],
    [null, LIMITS.dnsTtlMsMax],
  ])('whose answer counts for %s ms is looked up again after %s ms', async (ttlMs, afterMs) => {
    const bench = benchOf()
    await bench.lease()
    const lookUp = await lookedUp(bench)
    lookUp.answer([OLD], ttlMs)
    await settle()
    await pass(bench, afterMs - 1)
    expect(bench.connector.lookUps).toHaveLength(1)
    await pass(bench, 1)
    expect(bench.connector.lookUps).toHaveLength(2)
  })

  test('is looked up once at a time, and its silence holds up no other host', async () => {
    const bench = benchOf({ hosts: ['silent.test:1', 'db.test:1'] })
    await bench.lease()
    await bench.lease()
    await lookedUp(bench)
    expect(bench.connector.lookUps.map(({ name }) => name)).toEqual(['silent.test', 'db.test'])
    bench.connector.lookUps[1]?.answer([NEW], 1)
    await settle()
    await pass(bench, LIMITS.dnsTtlMsMin)
    expect(bench.connector.lookUps.map(({ name }) => name)).toEqual(['silent.test', 'db.test', 'db.test'])
  })

  test('says nothing of a connection that was dialled after it was asked for', async () => {
    const bench = benchOf()
    await bench.lease()
    const lookUp = await lookedUp(bench)
    bench.connector.remoteAddress = NEW
    const later = await bench.lease()
    lookUp.answer([OLD])
    await settle()
    expect(await bench.giveBack(later)).toMatchObject({ outcome: 'reused' })
  })

  test('is looked up no more once nothing is connected', async () => {
    const bench = benchOf()
    const lease = await bench.lease()
    await pass(bench, 1)
    await bench.pool.release(lease, 'discarded')
    bench.connector.obey()
    await pass(bench, LIMITS.dnsTtlMsMax)
    expect(bench.connector.lookUps).toEqual([])
  })
})

test('an address that an operator wrote is not looked up', async () => {
  const bench = benchOf({ hosts: [`${OLD}:1`] })
  await bench.lease()
  await pass(bench, 1)
  await pass(bench, LIMITS.dnsTtlMsMax)
  expect(bench.connector.lookUps).toEqual([])
})

test('a connection that is asked whether it is good is closed where its address has vanished meanwhile', async () => {
  const probe = [{ send: 'PING\n' }, { expect: 'PONG\n' }]
  const bench = benchOf({ hosts: ['db.test:1'], probe, pool: { max: 4, probeAfter: 1 } })
  await bench.giveBack(await bench.lease())
  const lookUp = await lookedUp(bench)
  const asked = bench.ask()
  await settle()
  lookUp.answer([NEW])
  await settle()
  bench.connector.connections[0]?.answerProbe?.('clean')
  await settle()
  bench.connector.obey()
  expect(bench.pool.history.closed).toEqual({ dns: 1 })
  bench.connector.pending[0]?.succeed()
  await settle()
  expect(asked.slot).not.toBeNull()
})
