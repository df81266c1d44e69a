import { describe, expect, test } from 'vitest'
import type { TargetInput } from '../../../src/config/target-input.ts'
import { Hosts } from '../../../src/pool/target/hosts.ts'
import { type FakeDial, settle } from '../../support/fake-connector.ts'
import { TargetPoolBench } from '../../support/target-pool-bench.ts'

const HOSTS = ['a:1', 'b:1', 'c:1']

function benchOf(balance: NonNullable<TargetInput['balance']>, pool: TargetInput['pool'] = { max: 9 }) {
  return new TargetPoolBench(pool, 1_000, { hosts: HOSTS, balance, breaker: false })
}

function placesOf(dial: FakeDial | undefined): string[] {
  return dial?.request.dial.places.map(({ host }) => host) ?? []
}

/** Has a dial reach the host of that name, those before it being dead. */
async function reach(bench: TargetPoolBench, host: string): Promise<void> {
  const [dial] = bench.connector.pending
  dial?.request.onPlace?.(placesOf(dial).indexOf(host))
  dial?.succeed()
  await settle()
}

function statesOf({ pool }: TargetPoolBench): string[] {
  return pool.health.hosts.map(({ state }) => state)
}

describe('a dial of several hosts', () => {
  test('begins with each in turn by round-robin', async () => {
    const bench = benchOf('round-robin')
    for (let count = 0; count < 4; count++) bench.ask()
    await settle()
    expect(bench.connector.dials.map(placesOf)).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
      ['c', 'a', 'b'],
      ['a', 'b', 'c'],
    ])
  })

  test('begins with the first by priority', async () => {
    const bench = benchOf('priority')
    for (let count = 0; count < 2; count++) bench.ask()
    await settle()
    expect(bench.connector.dials.map(placesOf)).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ])
  })

  test('begins with the one that has the fewest leases', async () => {
    const bench = benchOf('least-leased')
    bench.ask()
    await settle()
    await reach(bench, 'a')
    bench.ask()
    await settle()
    await reach(bench, 'c')
    bench.ask()
    await settle()
    expect(placesOf(bench.connector.pending[0])[0]).toBe('b')
    expect(bench.pool.health.hosts.map(({ connections }) => connections)).toEqual([1, 0, 1])
  })

  test('leaves a host for last that failed three times in a row, and remembers it between dials', async () => {
    const bench = benchOf('priority')
    for (let count = 0; count < 3; count++) {
      expect(statesOf(bench)[0]).toBe('up')
      bench.ask()
      await settle()
      await reach(bench, 'b')
    }
    expect(statesOf(bench)).toEqual(['ejected', 'up', 'up'])
    bench.ask()
    await settle()
    expect(placesOf(bench.connector.pending[0])).toEqual(['b', 'c', 'a'])
  })

  test('counts all hosts that it tried where it failed', async () => {
    const bench = benchOf('priority')
    for (let count = 0; count < 3; count++) {
      bench.ask()
      await settle()
      bench.connector.pending[0]?.request.onPlace?.(1)
      bench.connector.pending[0]?.fail()
      await settle()
    }
    expect(statesOf(bench)).toEqual(['ejected', 'ejected', 'up'])
  })
})

describe('an ejected host', () => {
  test('comes back after 10 s, takes a growing share, and is up after that', async () => {
    const clock = { nowMs: 1_000 }
    let random = 0.5
    const places = [
      { host: 'a', port: 1 },
      { host: 'b', port: 1 },
    ]
    const hosts = new Hosts(
      places,
      'priority',
      () => new Map(),
      () => clock.nowMs,
      () => random,
    )
    for (let count = 0; count < 3; count++) hosts.failed(0)
    clock.nowMs += 9_999
    expect(hosts.stateOf(0)).toBe('ejected')
    clock.nowMs += 1
    expect(hosts.stateOf(0)).toBe('slow_start')
    expect(hosts.order()).toEqual([1, 0])
    clock.nowMs += 5_001
    expect(hosts.order()).toEqual([0, 1])
    random = 0.99
    expect(hosts.order()).toEqual([1, 0])
    clock.nowMs += 5_000
    expect(hosts.stateOf(0)).toBe('up')
    expect(hosts.order()).toEqual([0, 1])
  })

  test('that fails once more is ejected for twice as long, and for 5 min at the most', () => {
    const clock = { nowMs: 1_000 }
    const places = [
      { host: 'a', port: 1 },
      { host: 'b', port: 1 },
    ]
    const hosts = new Hosts(
      places,
      'priority',
      () => new Map(),
      () => clock.nowMs,
      () => 0,
    )
    for (let count = 0; count < 3; count++) hosts.failed(0)
    clock.nowMs += 10_000
    for (const ejectedMs of [20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      expect(hosts.stateOf(0)).toBe('slow_start')
      hosts.failed(0)
      clock.nowMs += ejectedMs - 1
      expect(hosts.stateOf(0)).toBe('ejected')
      clock.nowMs += 1
    }
  })

  test('loses its idle connections', async () => {
    const bench = benchOf('priority')
    const asked = bench.ask({ tenant: 'other' })
    await settle()
    await reach(bench, 'a')
    for (let count = 0; count < 3; count++) {
      bench.ask()
      await settle()
      if (count === 2 && asked.slot) await bench.giveBack(asked.slot)
      await reach(bench, 'b')
    }
    expect(bench.pool.counts).toMatchObject({ idle: 0 })
    bench.connector.obey()
    expect(bench.pool.history.closed).toMatchObject({ ejected: 1 })
  })

  test('is never the only one', () => {
    const hosts = new Hosts(
      [{ host: 'a', port: 1 }],
      'priority',
      () => new Map(),
      () => 0,
      () => 0,
    )
    for (let count = 0; count < 9; count++) hosts.failed(0)
    expect(hosts.stateOf(0)).toBe('up')
  })
})

describe('an idle connection of several hosts', () => {
  test.each([
    ['round-robin', 'a'],
    ['priority', 'a'],
    ['least-leased', 'c'],
  ] as const)('is lent by %s', async (balance, host) => {
    const bench = benchOf(balance)
    const held = []
    for (const name of ['a', 'b', 'c', 'a', 'b']) {
      held.push(bench.ask())
      await settle()
      await reach(bench, name)
    }
    // Both of `b` and one of `a` stay leased; `a` came back before `c`.
    for (const index of [0, 2]) {
      const slot = held[index]?.slot
      if (slot) await bench.giveBack(slot)
    }
    const asked = bench.ask()
    await settle()
    expect(HOSTS[asked.slot?.host ?? 9]).toBe(`${host}:1`)
  })
})
