import { describe, expect, test } from 'vitest'
import type { TargetInput } from '../../../src/config/target-input.ts'
import { settle } from '../../support/fake-connector.ts'
import { TargetPoolBench } from '../../support/target-pool-bench.ts'

const probe = [{ send: 'PING\r\n' }, { expect: '+PONG\r\n' }]

function benchOf(pool: TargetInput['pool'], more: TargetInput = { probe }): TargetPoolBench {
  return new TargetPoolBench(pool, 1_000, more)
}

describe('maxUses', () => {
  test('closes a connection with its last lease, and says so', async () => {
    const bench = benchOf({ max: 1, maxUses: 2 })
    const slot = await bench.lease()
    expect(await bench.giveBack(slot)).toMatchObject({ outcome: 'reused' })
    expect(await bench.lease()).toBe(slot)
    expect(await bench.giveBack(slot)).toEqual({ outcome: 'closed', reason: 'max_uses' })
  })
})

describe('probeAfter', () => {
  test('asks a connection that lay idle for longer before it is lent', async () => {
    const bench = benchOf({ max: 2, probeAfterMs: 100 })
    const slot = await bench.lease()
    await bench.giveBack(slot)
    bench.nowMs += 100
    const asked = bench.ask()
    await settle()
    expect(asked.slot).toBeNull()
    expect(bench.pool.counts).toMatchObject({ quarantined: 1, idle: 0, connecting: 0 })
    bench.connector.connections[0]?.answerProbe?.('clean')
    await settle()
    expect(asked.slot).toBe(slot)
  })

  test('lends one that was in use a moment ago without a question', async () => {
    const bench = benchOf({ max: 2, probeAfterMs: 100 })
    const slot = await bench.lease()
    await bench.giveBack(slot)
    bench.nowMs += 99
    expect(await bench.lease()).toBe(slot)
  })

  test('closes one that fails, and serves its caller with the next', async () => {
    const bench = benchOf({ max: 2, probeAfterMs: 100 })
    const [one, two] = [await bench.lease(), await bench.lease()]
    await bench.giveBack(one)
    await bench.giveBack(two)
    bench.nowMs += 100
    const asked = bench.ask()
    await settle()
    bench.connector.connections[1]?.answerProbe?.('dialog_failed')
    await settle()
    expect(two.state).toMatchObject({ kind: 'closing', reason: 'dialog_failed' })
    bench.connector.connections[0]?.answerProbe?.('clean')
    await settle()
    expect(asked.slot).toBe(one)
  })

  test('dials where all fail', async () => {
    const bench = benchOf({ max: 1, probeAfterMs: 100 })
    await bench.giveBack(await bench.lease())
    bench.nowMs += 100
    const asked = bench.ask()
    await settle()
    bench.connector.connections[0]?.answerProbe?.('dialog_failed')
    await settle()
    bench.connector.obey()
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(asked.slot).not.toBeNull()
    expect(bench.pool.history.closed).toEqual({ dialog_failed: 1 })
  })

  test('asks no more connections than callers wait for', async () => {
    const bench = benchOf({ max: 4, probeAfterMs: 100 })
    const slots = [await bench.lease(), await bench.lease(), await bench.lease()]
    for (const slot of slots) await bench.giveBack(slot)
    bench.nowMs += 100
    bench.ask()
    await settle()
    expect(bench.pool.counts).toMatchObject({ quarantined: 1, idle: 2, connecting: 0 })
  })

  test('waits for the answer also with waitMs 0', async () => {
    const bench = benchOf({ max: 1, probeAfterMs: 100 })
    const slot = await bench.lease()
    await bench.giveBack(slot)
    bench.nowMs += 100
    const asked = bench.ask({ waitMs: 0 })
    await settle()
    bench.connector.connections[0]?.answerProbe?.('clean')
    await settle()
    expect(asked.slot).toBe(slot)
  })

  test('asks nothing without a probe', async () => {
    const bench = benchOf({ max: 1, probeAfterMs: 100 }, {})
    const slot = await bench.lease()
    await bench.giveBack(slot)
    bench.nowMs += 1_000
    expect(await bench.lease()).toBe(slot)
  })

  test('a connection that ends while it is asked is gone, and its caller is served by a dial', async () => {
    const bench = benchOf({ max: 1, probeAfterMs: 100 })
    await bench.giveBack(await bench.lease())
    bench.nowMs += 100
    const asked = bench.ask()
    await settle()
    const [connection] = bench.connector.connections
    connection?.die()
    connection?.answerProbe?.('error')
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(asked.slot).not.toBeNull()
    expect(bench.faults).toEqual([])
  })
})

describe('keepalive', () => {
  test('asks each idle connection that often, and being asked is no use', async () => {
    const bench = benchOf({ max: 2, keepaliveMs: 100, idleTimeoutMs: 250 })
    const slot = await bench.lease()
    await bench.giveBack(slot)
    for (let count = 0; count < 2; count++) {
      bench.nowMs += 99
      bench.pool.sweep()
      expect(bench.pool.counts).toMatchObject({ idle: 1 })
      bench.nowMs += 1
      bench.pool.sweep()
      expect(bench.pool.counts).toMatchObject({ quarantined: 1 })
      bench.connector.connections[0]?.answerProbe?.('clean')
      await settle()
      expect(bench.pool.counts).toMatchObject({ idle: 1 })
    }
    bench.nowMs += 50
    bench.pool.sweep()
    expect(slot.state).toMatchObject({ kind: 'closing', reason: 'idle' })
  })

  test('closes one that does not answer as it should', async () => {
    const bench = benchOf({ max: 2, keepaliveMs: 100 })
    const slot = await bench.lease()
    await bench.giveBack(slot)
    bench.nowMs += 100
    bench.pool.sweep()
    bench.connector.connections[0]?.answerProbe?.('dialog_failed')
    await settle()
    expect(slot.state).toMatchObject({ kind: 'closing', reason: 'dialog_failed' })
  })

  test('leaves the order of the idle ones as it is', async () => {
    const bench = benchOf({ max: 2, keepaliveMs: 100 })
    const [one, two] = [await bench.lease(), await bench.lease()]
    await bench.giveBack(one)
    bench.nowMs += 50
    await bench.giveBack(two)
    bench.nowMs += 60
    bench.pool.sweep()
    bench.connector.connections[0]?.answerProbe?.('clean')
    await settle()
    expect(await bench.lease()).toBe(two)
  })
})
