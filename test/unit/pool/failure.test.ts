import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { TargetInput } from '../../../src/config/target-input.ts'
import { settle } from '../../support/fake-connector.ts'
import { type Asked, TargetPoolBench } from '../../support/target-pool-bench.ts'
import { until } from '../../support/until.ts'

function benchOf(
  breaker: NonNullable<TargetInput['breaker']>,
  pool: TargetInput['pool'] = { max: 8 },
): TargetPoolBench {
  return new TargetPoolBench(pool, 1_000, { breaker })
}

/** Asks, and has the dial that it takes fail. */
async function failOnce(bench: TargetPoolBench): Promise<Asked> {
  const asked = bench.ask()
  await settle()
  bench.connector.pending[0]?.fail()
  await settle()
  return asked
}

async function opened(): Promise<TargetPoolBench> {
  const bench = benchOf({ failures: 2, openForMs: 1_000 })
  await failOnce(bench)
  await failOnce(bench)
  return bench
}

describe('the breaker', () => {
  test('opens after so many failures in a row, which their callers hear themselves', async () => {
    const bench = benchOf({ failures: 3, openForMs: 1_000 })
    for (let count = 0; count < 3; count++) {
      expect(bench.pool.health.breaker).toBe('closed')
      expect((await failOnce(bench)).error).toMatchObject({ code: 'CONNECT_REFUSED' })
    }
    expect(bench.pool.health.breaker).toBe('open')
  })

  test('counts only failures in a row', async () => {
    const bench = benchOf({ failures: 2, openForMs: 1_000 })
    await failOnce(bench)
    await bench.lease()
    await failOnce(bench)
    expect(bench.pool.health.breaker).toBe('closed')
  })

  test('counts a connection that is gone before anybody has it', async () => {
    const bench = benchOf({ failures: 1, openForMs: 1_000 })
    bench.ask()
    await settle()
    bench.connector.pending[0]?.succeed(connection => connection.die('reset'))
    await settle()
    expect(bench.pool.health.breaker).toBe('open')
  })

  test('does not count what this process lacks', async () => {
    const bench = benchOf({ failures: 1, openForMs: 1_000 })
    bench.ask()
    await settle()
    bench.connector.pending[0]?.fail('QUEUE_FULL')
    await settle()
    expect(bench.pool.health.breaker).toBe('closed')
  })

  test('fails newcomers at once while it is open, with the last reason and the time that is left', async () => {
    const bench = await opened()
    bench.nowMs += 400
    const asked = bench.ask()
    await settle()
    expect(asked.error).toMatchObject({
      code: 'BREAKER_OPEN',
      reason: 'connect_refused',
      expectedWaitMs: 600,
      retryable: true,
    })
    expect(bench.connector.dials).toHaveLength(2)
  })

  test('still lends what lies idle', async () => {
    const bench = benchOf({ failures: 1, openForMs: 1_000 })
    const slot = await bench.lease()
    await failOnce(bench)
    await bench.giveBack(slot)
    expect(bench.pool.health.breaker).toBe('open')
    expect(await bench.lease()).toBe(slot)
  })

  test('fails whoever waits when it opens, but for those whose dial is under way', async () => {
    const bench = benchOf({ failures: 2, openForMs: 1_000 }, { max: 3 })
    const callers = [bench.ask(), bench.ask(), bench.ask(), bench.ask(), bench.ask()]
    await settle()
    const [one, two, three] = bench.connector.pending
    one?.fail()
    two?.fail()
    await settle()
    // The first two heard of their own dials; one dial is left, for one caller.
    const codes = (): (string | undefined)[] => callers.map(({ error }) => error?.code)
    expect(codes().slice(0, 2)).toEqual(['CONNECT_REFUSED', 'CONNECT_REFUSED'])
    expect(bench.pool.waiters).toBe(bench.connector.pending.length)
    expect(codes().at(-1)).toBe('BREAKER_OPEN')
    three?.succeed()
    await settle()
    expect(bench.pool.health.breaker).toBe('closed')
  })

  test('keeps who counts on a connection whose release check takes its time, and serves it when that is over', async () => {
    const bench = benchOf({ failures: 1, openForMs: 60_000 })
    const slot = await bench.lease()
    await failOnce(bench)
    void bench.pool.release(slot, null)
    const waiting = bench.ask()
    bench.nowMs += LIMITS.returnMs
    const isLate = (): boolean => slot.state.kind === 'quarantined' && slot.state.returnsSinceMs === null
    await until('nobody counts on it any more', isLate)
    await settle()
    expect([waiting.slot, waiting.error]).toEqual([null, null])
    for (const connection of bench.connector.alive) connection.judge('clean')
    await settle()
    expect([waiting.slot === slot, waiting.error]).toEqual([true, null])
  })

  test('fails those who waited out a pause when the target is resumed, as nothing else would end their wait', async () => {
    const bench = await opened()
    bench.pool.control.pause()
    const waiting = [bench.ask(), bench.ask()]
    await settle()
    expect(waiting.map(({ error }) => error)).toEqual([null, null])
    bench.pool.control.resume()
    await settle()
    expect(waiting.map(({ error }) => error?.code)).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN'])
    expect(bench.waiting).toBe(0)
  })

  test('has those who waited out a pause wait for the one dial that it lets through, and serves all when that succeeds', async () => {
    const bench = await opened()
    bench.pool.control.pause()
    const waiting = [bench.ask(), bench.ask(), bench.ask()]
    bench.nowMs += 1_000
    bench.pool.control.resume()
    await settle()
    expect([bench.connector.pending.length, bench.waiting]).toEqual([1, 3])
    bench.connector.pending[0]?.succeed()
    await settle()
    for (const dial of bench.connector.pending) dial.succeed()
    await settle()
    expect(waiting.map(({ slot, error }) => slot !== null && error === null)).toEqual([true, true, true])
  })

  test('lets exactly one dial through when its time is over, and closes when that succeeds', async () => {
    const bench = await opened()
    bench.nowMs += 1_000
    expect(bench.pool.health.breaker).toBe('half_open')
    const [probe, other] = [bench.ask(), bench.ask()]
    await settle()
    expect(bench.connector.pending).toHaveLength(1)
    expect(bench.pool.health.breaker).toBe('half_open')
    expect(other.error).toMatchObject({ code: 'BREAKER_OPEN', reason: 'connect_refused' })
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(probe.slot).not.toBeNull()
    expect(bench.pool.health.breaker).toBe('closed')
  })

  test('opens again when the one dial fails', async () => {
    const bench = await opened()
    bench.nowMs += 1_000
    expect((await failOnce(bench)).error).toMatchObject({ code: 'CONNECT_REFUSED' })
    expect(bench.pool.health.breaker).toBe('open')
    bench.nowMs += 999
    expect(bench.pool.health.breaker).toBe('open')
  })

  test('lets another dial through where the first said nothing of the target', async () => {
    const bench = await opened()
    bench.nowMs += 1_000
    bench.ask()
    await settle()
    bench.connector.pending[0]?.fail('QUEUE_FULL')
    await settle()
    const next = bench.ask()
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(next.slot).not.toBeNull()
  })

  test('false never opens it', async () => {
    const bench = benchOf(false)
    for (let count = 0; count < 20; count++)
      expect((await failOnce(bench)).error).toMatchObject({ code: 'CONNECT_REFUSED' })
    expect(bench.pool.health.breaker).toBe('off')
  })
})

describe('dials of a target', () => {
  test('are under way at once up to maxConnecting', async () => {
    const bench = benchOf(false, { max: 8, maxConnecting: 2 })
    const callers = [bench.ask(), bench.ask(), bench.ask()]
    await settle()
    expect(bench.connector.pending).toHaveLength(2)
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(bench.connector.pending).toHaveLength(2)
    for (const dial of bench.connector.pending) dial.succeed()
    await settle()
    expect(callers.map(({ slot }) => slot)).not.toContain(null)
  })

  test('wait after a failure, and begin by themselves when the wait is over', async () => {
    const bench = benchOf(false)
    bench.random = 0.99
    await failOnce(bench)
    const asked = bench.ask()
    await settle()
    expect(bench.connector.pending).toHaveLength(0)
    bench.nowMs += 10
    await until('the dial began', () => bench.connector.pending.length === 1)
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(asked.slot).not.toBeNull()
  })

  test('that fail together are waited for once', async () => {
    const bench = benchOf(false)
    bench.random = 0.99
    for (let count = 0; count < 8; count++) bench.ask()
    await settle()
    for (const dial of bench.connector.pending) dial.fail()
    await settle()
    bench.nowMs += 10
    const asked = bench.ask()
    await settle()
    expect(bench.connector.pending).toHaveLength(1)
    expect(asked.error).toBeNull()
  })
})
