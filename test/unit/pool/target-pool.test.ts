import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { settle } from '../../support/fake-connector.ts'
import { TargetPoolBench } from '../../support/target-pool-bench.ts'
import { until } from '../../support/until.ts'

describe('TargetPool.lease', () => {
  test('dials for the first and reuses the idle one used last', async () => {
    const bench = new TargetPoolBench({ max: 3 })
    const one = await bench.lease()
    const two = await bench.lease()
    await bench.giveBack(one)
    await bench.giveBack(two)
    expect(bench.pool.counts).toMatchObject({ idle: 2, leased: 0 })
    expect(await bench.lease()).toBe(two)
    expect(await bench.lease()).toBe(one)
    expect(bench.connector.dials).toHaveLength(2)
    expect(one.uses).toBe(2)
  })

  test('serves waiters first in, first out', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const held = await bench.lease()
    const waiters = [bench.ask(), bench.ask(), bench.ask()]
    await settle()
    let slot = held
    for (const waiter of waiters) {
      expect(waiters.filter(({ slot: own }) => own !== null).length).toBe(waiters.indexOf(waiter))
      await bench.giveBack(slot)
      await settle()
      expect(waiter.slot).not.toBeNull()
      slot = waiter.slot ?? held
    }
    expect(bench.connector.dials).toHaveLength(1)
    expect(bench.waiting).toBe(0)
  })

  test('is POOL_EXHAUSTED with waitMs 0 and none free, and says the counts', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    await bench.lease()
    const asked = bench.ask({ waitMs: 0 })
    await settle()
    expect(asked.error).toMatchObject({ code: 'POOL_EXHAUSTED', retryable: true })
    expect(asked.error?.message).toContain('1 leased')
  })

  test('leaves no slot behind where the lease cannot begin', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const begin = (): never => {
      throw new TypeError('as the test wishes')
    }
    const dialled = bench.pool.lease({ tenant: '', waitMs: 1_000 }, begin)
    await settle()
    bench.connector.pending[0]?.succeed()
    await expect(dialled).rejects.toThrow(TypeError)
    bench.connector.obey()
    await bench.giveBack(await bench.lease())
    await expect(bench.pool.lease({ tenant: '', waitMs: 0 }, begin)).rejects.toThrow(TypeError)
    bench.connector.obey()
    expect(bench.pool.size).toBe(0)
    expect(bench.waiting).toBe(0)
  })

  test('waits for its own dial with waitMs 0 where there is room', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const asked = bench.ask({ waitMs: 0 })
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(asked.slot).not.toBeNull()
  })

  test('is QUEUE_FULL when as many wait as may', async () => {
    const bench = new TargetPoolBench({ max: 1 }, 2)
    await bench.lease()
    bench.ask()
    bench.ask()
    const third = bench.ask()
    await settle()
    expect(third.error).toMatchObject({ code: 'QUEUE_FULL' })
    expect(bench.pool.waiters).toBe(2)
  })

  test('is WAIT_TIMEOUT with the position in the queue', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    await bench.lease()
    bench.ask()
    bench.ask()
    const error = await bench.pool.lease({ tenant: '', waitMs: 5 }, slot => slot).catch(reason => reason)
    expect(error).toMatchObject({ code: 'WAIT_TIMEOUT', position: 3 })
    expect(bench.pool.waiters).toBe(2)
  })

  test('leaves the queue when its signal fires, also when it had fired before', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const held = await bench.lease()
    const controller = new AbortController()
    const leaving = bench.ask({ signal: controller.signal })
    const early = bench.ask({ signal: AbortSignal.abort('gone') })
    const staying = bench.ask()
    controller.abort()
    await settle()
    expect(leaving.error).toMatchObject({ code: 'ABORTED', name: 'AbortError' })
    expect(early.error).toMatchObject({ code: 'ABORTED', cause: 'gone' })
    await bench.giveBack(held)
    await settle()
    expect(staying.slot).not.toBeNull()
    expect(bench.waiting).toBe(0)
  })

  test('a failed dial fails the first waiter alone', async () => {
    const bench = new TargetPoolBench({ max: 2 })
    const [one, two, three] = [bench.ask(), bench.ask(), bench.ask()]
    await settle()
    expect(bench.connector.pending).toHaveLength(2)
    bench.connector.pending[1]?.fail()
    await settle()
    expect(one?.error).toMatchObject({ code: 'CONNECT_REFUSED' })
    expect(bench.connector.pending).toHaveLength(2)
    for (const dial of bench.connector.pending) dial.succeed()
    await settle()
    expect([two?.slot, three?.slot]).not.toContain(null)
  })

  test.each(Array.from({ length: 12 }, (_, looks) => looks))(
    'dials for a caller who comes as the backoff ends, be it after %i looks at the clock',
    async looks => {
      const bench = new TargetPoolBench({ max: 1 })
      bench.random = 1
      bench.ask()
      await settle()
      bench.connector.pending[0]?.fail()
      await settle()
      const overMs = bench.nowMs + LIMITS.dialBackoffFirstMs
      let looked = 0
      Object.defineProperty(bench, 'nowMs', { get: () => (looked++ < looks ? overMs - 0.01 : overMs) })
      bench.ask()
      await until('it is dialled', () => bench.connector.pending.length === 1)
    },
  )

  test('a dial given up by its caller stays for the next', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const controller = new AbortController()
    bench.ask({ signal: controller.signal })
    await settle()
    controller.abort()
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(bench.pool.counts).toMatchObject({ idle: 1, connecting: 0 })
  })

  test('a peer that ended its direction at once is still the waiter’s to hear', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const asked = bench.ask()
    await settle()
    bench.connector.pending[0]?.succeed(connection => connection.finish())
    await settle()
    expect(asked.slot).not.toBeNull()
    expect(bench.connector.dials).toHaveLength(1)
  })

  test('a peer that hung up at once is a failed dial, not dialled over and over', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const asked = bench.ask()
    await settle()
    bench.connector.pending[0]?.succeed(connection => connection.die('reset'))
    await settle()
    expect(asked.error).toMatchObject({ code: 'CONNECT_FAILED', reason: 'ECONNRESET' })
    expect(bench.connector.dials).toHaveLength(1)
    expect(bench.pool.size).toBe(0)
  })
})

describe('tenants', () => {
  test('never get each other’s connections, but one that nobody had yet', async () => {
    const bench = new TargetPoolBench({ max: 3, min: 1 })
    bench.pool.warm()
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    const a = await bench.lease('a')
    expect(bench.connector.dials).toHaveLength(1)
    await bench.giveBack(a)
    const b = await bench.lease('b')
    expect(b).not.toBe(a)
    expect(await bench.lease('a')).toBe(a)
  })

  test('an idle connection of another is closed where it stands in the way', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    await bench.giveBack(await bench.lease('a'))
    const asked = bench.ask({ tenant: 'b' })
    await settle()
    expect(bench.pool.counts).toMatchObject({ closing: 1, idle: 0 })
    bench.connector.obey()
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(asked.slot?.tenant).toBe('b')
    expect(bench.pool.history.closed).toEqual({ evicted: 1 })
  })
})

describe('TargetPool.sweep', () => {
  test('closes what was idle for too long, down to the warm minimum', async () => {
    const bench = new TargetPoolBench({ max: 3, min: 1, idleTimeoutMs: 100 })
    const slots = [await bench.lease(), await bench.lease(), await bench.lease()]
    for (const slot of slots) await bench.giveBack(slot)
    bench.nowMs += 99
    bench.pool.sweep()
    expect(bench.pool.counts.idle).toBe(3)
    bench.nowMs += 1
    bench.pool.sweep()
    expect(bench.pool.counts).toMatchObject({ idle: 1, closing: 2 })
    bench.connector.obey()
    expect(bench.pool.history.closed).toEqual({ idle: 2 })
  })

  test('closes what is too old, earlier by up to a tenth, and never under a lease', async () => {
    const bench = new TargetPoolBench({ max: 2, maxLifetimeMs: 1_000 })
    bench.random = 0.5
    const one = await bench.lease()
    const two = await bench.lease()
    await bench.giveBack(one)
    bench.nowMs += 949
    bench.pool.sweep()
    expect(bench.pool.counts).toMatchObject({ idle: 1, leased: 1 })
    bench.nowMs += 1
    bench.pool.sweep()
    expect(bench.pool.counts).toMatchObject({ idle: 0, leased: 1, closing: 1 })
    expect(await bench.giveBack(two)).toEqual({ outcome: 'closed', reason: 'lifetime' })
  })

  test('an aged connection is not handed out between two sweeps', async () => {
    const bench = new TargetPoolBench({ max: 2, maxLifetimeMs: 1_000 })
    const one = await bench.lease()
    await bench.giveBack(one)
    bench.nowMs += 1_000
    expect(await bench.lease()).not.toBe(one)
  })

  test('refills the warm minimum, at growing intervals while dials fail', async () => {
    const bench = new TargetPoolBench({ max: 3, min: 2 })
    bench.random = 1
    const areDialled = async (): Promise<void> =>
      await until('both are dialled', () => bench.connector.pending.length === 2)
    bench.pool.warm()
    await areDialled()
    for (const dial of bench.connector.pending) dial.fail()
    await settle()
    bench.pool.sweep()
    expect(bench.connector.pending).toHaveLength(0)
    bench.nowMs += 20
    bench.pool.sweep()
    await areDialled()
    for (const dial of bench.connector.pending) dial.succeed()
    await settle()
    expect(bench.pool.counts).toMatchObject({ idle: 2, connecting: 0 })
  })

  test.each([
    ['fin', { code: 'CONNECT_FAILED', reason: 'ECONNRESET' }],
    ['timedOut', { code: 'CONNECT_FAILED', reason: 'ETIMEDOUT' }],
    ['workerLost', { code: 'WORKER_LOST' }],
  ] as const)(
    'fails a dial whose connection is gone before anybody has it, by how it went: %s',
    async (how, why) => {
      const bench = new TargetPoolBench({ max: 1 })
      const asked = bench.ask()
      await settle()
      bench.connector.pending[0]?.succeed().die(how)
      await settle()
      expect(asked.error).toMatchObject(why)
      expect(bench.pool.size).toBe(0)
    },
  )
  test('leaves no target alone for what the service itself has run out of', async () => {
    const bench = new TargetPoolBench({ max: 3, min: 1 })
    bench.random = 1
    bench.pool.warm()
    bench.connector.pending[0]?.fail('QUEUE_FULL')
    await settle()
    bench.pool.sweep()
    expect(bench.connector.pending).toHaveLength(1)
  })

  test('drops a warm connection whose peer ended it', async () => {
    const bench = new TargetPoolBench({ max: 3, min: 1 })
    bench.pool.warm()
    await settle()
    bench.connector.pending[0]?.succeed().finish()
    await settle()
    bench.pool.sweep()
    expect(bench.pool.counts).toMatchObject({ idle: 0, closing: 1, connecting: 1 })
  })
})

describe('TargetPool.release', () => {
  test.each(['unsent', 'unread', 'half_closed', 'error', 'dialog_failed', 'poisoned'] as const)(
    'closes and says why where the I/O worker found it %s',
    async verdict => {
      const bench = new TargetPoolBench({ max: 1 })
      const released = bench.pool.release(await bench.lease(), null)
      bench.connector.connections[0]?.judge(verdict)
      expect(await released).toEqual({ outcome: 'closed', reason: verdict })
      bench.connector.obey()
      expect(bench.pool.size).toBe(0)
    },
  )

  test('answers when the connection dies before the verdict', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const released = bench.pool.release(await bench.lease(), null)
    bench.connector.connections[0]?.die()
    expect(await released).toEqual({ outcome: 'closed', reason: 'error' })
    expect(bench.pool.size).toBe(0)
  })

  test('a second release of the same slot changes nothing', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    const slot = await bench.lease()
    await bench.giveBack(slot)
    expect(await bench.pool.release(slot, null)).toMatchObject({ outcome: 'closed' })
    expect(bench.pool.counts.idle).toBe(1)
  })

  test('a lease whose connection dies hears of it, and the slot is free for the next', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    await bench.lease()
    const next = bench.ask()
    bench.connector.connections[0]?.die('workerLost')
    expect(bench.lost).toEqual(['workerLost'])
    await settle()
    bench.connector.pending[0]?.succeed()
    await settle()
    expect(next.slot).not.toBeNull()
  })
})

describe('TargetPool.close', () => {
  test('fails waiters, gives up dials, closes idle ones, and ends when the last lease does', async () => {
    const bench = new TargetPoolBench({ max: 3 })
    const held = await bench.lease()
    await bench.giveBack(await bench.lease())
    const [taken, dialling, late] = [bench.ask(), bench.ask(), bench.ask()]
    await settle()
    expect(taken.slot).not.toBeNull()
    let isClosed = false
    const closed = bench.pool.close().then(() => (isClosed = true))
    await settle()
    expect(dialling.error).toMatchObject({ code: 'DRAINING' })
    expect(late.error).toMatchObject({ code: 'DRAINING' })
    bench.connector.obey()
    await settle()
    expect(isClosed).toBe(false)
    // One is released cleanly: a closed pool keeps it no more than the other.
    expect(await bench.giveBack(held)).toEqual({ outcome: 'closed', reason: 'policy' })
    if (taken.slot) void bench.pool.release(taken.slot, 'discarded')
    bench.connector.obey()
    await closed
    expect(bench.pool.size).toBe(0)
    await expect(bench.pool.lease({ tenant: '', waitMs: 0 }, slot => slot)).rejects.toMatchObject({
      code: 'DRAINING',
    })
  })

  test('does not wait for a dial that succeeds after it was given up', async () => {
    const bench = new TargetPoolBench({ max: 1 })
    bench.ask()
    await settle()
    const closed = bench.pool.close()
    bench.connector.pending[0]?.succeed()
    await settle()
    bench.connector.obey()
    await closed
    expect(bench.connector.alive).toHaveLength(0)
  })
})
