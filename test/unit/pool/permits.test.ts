/** A pool whose slots are bounded by permits that the test gives and takes. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { TargetInput } from '../../../src/config/target-input.ts'
import { targetStats } from '../../../src/pool/target/pool-stats.ts'
import type { Slot } from '../../../src/pool/target/slot.ts'
import { settle } from '../../support/fake-connector.ts'
import { HandPermits } from '../../support/hand-permits.ts'
import { type Asked, TargetPoolBench } from '../../support/target-pool-bench.ts'

type Capped = { readonly bench: TargetPoolBench; readonly permits: HandPermits }

function capped(granted: number, pool: TargetInput['pool'] = { max: 4 }, more: TargetInput = {}): Capped {
  const permits = new HandPermits(granted)
  return { bench: new TargetPoolBench(pool, 1_000, more, permits.permitsOf), permits }
}

/** Lets dials succeed, and what was asked to end do so, until nothing is left to do. */
async function work({ connector }: TargetPoolBench): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    for (const dial of connector.pending) if (!dial.isAborted) dial.succeed()
    connector.obey()
    await settle()
  }
}

/** Gives the slot a lease that is so old, and ends the slot as that of a pool does. */
function lend(bench: TargetPoolBench, slot: Slot, ageMs: number): { readonly kills: string[] } {
  const kills: string[] = []
  const none = { idleMs: 0, lastOperation: null, bytesIn: 0, bytesOut: 0 }
  slot.lease = {
    ...none,
    ageMs,
    connectionLost: () => {},
    settle: () => {},
    kill: reason => {
      kills.push(reason)
      slot.lease = null
      void bench.pool.release(slot, 'killed')
    },
  }
  return { kills }
}

const served = (asked: readonly Asked[]): number => asked.filter(({ slot }) => slot !== null).length

afterEach(() => void vi.useRealTimers())

describe('permits that are granted', () => {
  test('bound the dials, whatever the maximum', async () => {
    const { bench, permits } = capped(2, { max: 4 })
    const asked = Array.from({ length: 5 }, () => bench.ask())
    await work(bench)
    expect(served(asked)).toBe(2)
    expect(bench.connector.dials).toHaveLength(2)
    expect(permits.use).toEqual({ taken: 2, idle: 0, wanting: 2, cold: 0 })
  })

  test('serve those who wait as they come, and no more than the maximum has room for', async () => {
    const { bench, permits } = capped(0, { max: 3 })
    const asked = Array.from({ length: 5 }, () => bench.ask())
    await work(bench)
    expect([served(asked), permits.use.wanting]).toEqual([0, 3])
    for (const [granted, wanting] of [
      [1, 2],
      [2, 1],
      [3, 0],
      [9, 0],
    ] as const) {
      permits.grant(granted)
      await work(bench)
      expect([served(asked), permits.use.wanting]).toEqual([Math.min(granted, 3), wanting])
    }
    expect(asked.map(({ slot }) => slot !== null)).toEqual([true, true, true, false, false])
  })

  test('leave the configured maximum to be seen', () => {
    const { bench } = capped(1, { max: 4 })
    const row = targetStats(bench.pool, null, { multiplex: null, messages: null })
    expect(row.connections.max).toBe(4)
  })

  test('are named beside the maximum where a caller fails for want of them', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { bench } = capped(1, { max: 4 })
    await bench.lease()
    const asked = bench.ask({ waitMs: 0 })
    vi.advanceTimersByTime(LIMITS.permitWaitMs)
    await settle()
    expect(asked.error?.message).toContain('of 4, 1 permitted')
    expect(asked.error?.expectedWaitMs).toBeGreaterThanOrEqual(0)
  })

  test('that are none make the wait of a caller one of unknown length', () => {
    const { bench } = capped(0)
    expect(bench.pool.expectedWaitMs).toBeNull()
  })

  test('have an idle connection of another tenant closed for a caller, within them', async () => {
    const { bench } = capped(1, { max: 4 })
    await bench.giveBack(await bench.lease('a'))
    const asked = bench.ask({ tenant: 'b' })
    await work(bench)
    expect(asked.slot?.tenant).toBe('b')
    expect(bench.pool.history.closed).toEqual({ evicted: 1 })
  })

  test('go on bounding a pool whose own maximum changes', async () => {
    const { bench, permits } = capped(3, { max: 2 })
    const asked = Array.from({ length: 6 }, () => bench.ask())
    await work(bench)
    expect([served(asked), permits.use.wanting]).toEqual([2, 0])
    bench.pool.control.resize({ max: 6 })
    await work(bench)
    expect([served(asked), permits.use.wanting]).toEqual([3, 3])
    permits.grant(6)
    await work(bench)
    expect(served(asked)).toBe(6)
  })

  test('that are there cost a lease no more looks at the clock than none', async () => {
    const free = new TargetPoolBench({ max: 2 })
    const { bench, permits } = capped(2, { max: 2 })
    const reads = await Promise.all(
      [free, bench].map(async each => {
        await each.giveBack(await each.lease())
        each.clockReads = 0
        const slot = each.pool.tryLease({ tenant: '' }, own => own)
        return [each.clockReads, slot?.state.kind]
      }),
    )
    permits.asked = 0
    expect(reads[1]).toEqual(reads[0])
    expect(bench.pool.tryLease({ tenant: '' }, own => own)).toBeNull()
    expect(permits.asked).toBe(1)
  })
})

describe('permits that become fewer', () => {
  test('close what lies idle beyond them, the longest idle first', async () => {
    const { bench, permits } = capped(3)
    const slots = [await bench.lease(), await bench.lease(), await bench.lease()]
    for (const slot of slots) {
      bench.nowMs++
      await bench.giveBack(slot)
    }
    permits.grant(1)
    expect(slots.map(({ state }) => state.kind)).toEqual(['closing', 'closing', 'idle'])
    await work(bench)
    expect(bench.pool.history.closed).toEqual({ resize: 2 })
    expect(permits.use).toMatchObject({ taken: 1, idle: 1 })
  })

  test('retire what is leased when it comes back, and end no lease', async () => {
    const { bench, permits } = capped(3)
    const slots = [await bench.lease(), await bench.lease(), await bench.lease()]
    const [first, ...others] = slots
    permits.grant(1)
    await work(bench)
    expect(bench.pool.counts).toMatchObject({ leased: 3, closing: 0 })
    expect(await bench.giveBack(first as Slot)).toEqual({ outcome: 'closed', reason: 'resize' })
    expect(await bench.giveBack(others[0] as Slot)).toEqual({ outcome: 'closed', reason: 'resize' })
    expect(await bench.giveBack(others[1] as Slot)).toEqual({ outcome: 'reused', reason: 'clean' })
    await work(bench)
    expect(permits.use).toMatchObject({ taken: 1, idle: 1 })
  })

  test('serve the caller of a dial that is under way, and nobody after it', async () => {
    const { bench, permits } = capped(1)
    const [first, second] = [bench.ask(), bench.ask()]
    permits.grant(0)
    await work(bench)
    expect([first.slot?.state.kind, second.slot]).toEqual(['leased', null])
    expect(await bench.giveBack(first.slot as Slot)).toEqual({ outcome: 'closed', reason: 'resize' })
    await work(bench)
    expect([second.slot, permits.use.taken, permits.use.wanting]).toEqual([null, 0, 1])
  })
})

describe('a warm minimum', () => {
  test('is kept from permits alone, as they come', async () => {
    const { bench, permits } = capped(0, { max: 4, min: 3 })
    bench.pool.warm()
    expect([bench.connector.dials.length, permits.use.cold]).toEqual([0, 3])
    permits.grant(2)
    await work(bench)
    expect(permits.use).toEqual({ taken: 2, idle: 2, wanting: 0, cold: 1 })
    permits.grant(4)
    await work(bench)
    expect(permits.use).toEqual({ taken: 3, idle: 3, wanting: 0, cold: 0 })
  })

  test('lacks nothing of what it has permits for', () => {
    const { bench, permits } = capped(2, { max: 4, min: 3 })
    bench.random = 0.5
    bench.pool.warm()
    // One is dialled now, the next a while later.
    expect([bench.connector.dials.length, permits.use.cold]).toEqual([1, 1])
  })
})

describe('a pool that may not dial', () => {
  test('wants no permit while it is paused', async () => {
    const { bench, permits } = capped(0, { max: 4, min: 1 })
    bench.ask()
    expect(permits.use).toMatchObject({ wanting: 1, cold: 1 })
    const { changes } = permits
    bench.pool.control.pause()
    expect(permits.use).toMatchObject({ wanting: 0, cold: 0 })
    expect(permits.changes).toBeGreaterThan(changes)
    bench.pool.control.resume()
    expect(permits.use).toMatchObject({ wanting: 1, cold: 1 })
  })

  test('wants none while its target is left alone, and one as soon as it may be tried', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { bench, permits } = capped(1, { max: 4 })
    bench.random = 0.9
    const [failing, waiting] = [bench.ask(), bench.ask()]
    bench.connector.pending[0]?.fail()
    await settle()
    permits.grant(0)
    expect(failing.error?.code).toBe('CONNECT_REFUSED')
    expect([permits.use.wanting, permits.use.taken, waiting.error]).toEqual([0, 0, null])
    const { changes } = permits
    bench.nowMs += LIMITS.dialBackoffFirstMs
    vi.advanceTimersByTime(LIMITS.dialBackoffFirstMs)
    expect(permits.use.wanting).toBe(1)
    expect(permits.changes).toBeGreaterThan(changes)
  })

  test('wants none while its breaker is open, and one permit to try whether it may close', async () => {
    const breaker = { failures: 1, openForMs: 1_000 }
    const { bench, permits } = capped(1, { max: 4 }, { breaker })
    const failing = bench.ask()
    bench.connector.pending[0]?.fail()
    await settle()
    permits.grant(0)
    const refused = bench.ask()
    await settle()
    expect([failing.error?.code, refused.error?.code]).toEqual(['CONNECT_REFUSED', 'BREAKER_OPEN'])
    expect(permits.use.wanting).toBe(0)
    bench.nowMs += 1_000
    for (let count = 0; count < 3; count++) bench.ask()
    expect(permits.use.wanting).toBe(1)
  })

  test('fails who has waited for permits that could not be relied on, once they can, while its breaker is open', async () => {
    const breaker = { failures: 1, openForMs: 1_000 }
    const { bench, permits } = capped(1, { max: 4 }, { breaker })
    bench.ask()
    const waiting = bench.ask()
    permits.isReliable = false
    bench.connector.pending[0]?.fail()
    await settle()
    expect(waiting.error).toBeNull()
    permits.rely(true)
    await settle()
    expect(waiting.error).toMatchObject({ code: 'BREAKER_OPEN' })
  })

  test('wants no more than it may dial at once', () => {
    const { bench, permits } = capped(0, { max: 8, maxConnecting: 2 })
    for (let count = 0; count < 5; count++) bench.ask()
    expect(permits.use.wanting).toBe(2)
  })

  test('wants none for a caller that a closing connection makes room for', async () => {
    const { bench, permits } = capped(1, { max: 4 })
    void bench.pool.release(await bench.lease(), 'discarded')
    bench.ask()
    expect(permits.use).toMatchObject({ taken: 1, wanting: 0 })
    await work(bench)
    expect(permits.use).toMatchObject({ taken: 1, wanting: 0 })
  })
})

describe('permits that cannot be relied on', () => {
  test('serve nobody until they can, and then those who have waited', async () => {
    const { bench, permits } = capped(4)
    await bench.giveBack(await bench.lease())
    permits.isReliable = false
    const asked = [bench.ask(), bench.ask()]
    await work(bench)
    expect(served(asked)).toBe(0)
    expect(bench.connector.dials).toHaveLength(1)
    permits.rely(true)
    await work(bench)
    expect(served(asked)).toBe(2)
    expect(bench.connector.dials).toHaveLength(2)
  })

  test('have a connection that comes back lie idle, though somebody waits', async () => {
    const { bench, permits } = capped(1)
    const slot = await bench.lease()
    const asked = bench.ask()
    permits.isReliable = false
    await bench.giveBack(slot)
    expect([slot.state.kind, asked.slot]).toEqual(['idle', null])
    permits.rely(true)
    expect(slot.state.kind).toBe('leased')
    await settle()
    expect(asked.slot).toBe(slot)
  })

  test('have a connection that was dialled lie idle, though somebody waits', async () => {
    const { bench, permits } = capped(1)
    const asked = bench.ask()
    permits.isReliable = false
    await work(bench)
    expect([bench.pool.counts.idle, asked.slot]).toEqual([1, null])
    permits.rely(true)
    await settle()
    expect(asked.slot?.state.kind).toBe('leased')
  })

  test('dial for no warm minimum', async () => {
    const { bench, permits } = capped(4, { max: 4, min: 2 })
    permits.isReliable = false
    bench.pool.warm()
    bench.pool.sweep()
    expect(bench.connector.dials).toHaveLength(0)
    permits.rely(true)
    expect(bench.connector.dials).toHaveLength(2)
  })

  test('end the wait of a caller with its own time', async () => {
    const { bench, permits } = capped(4)
    permits.isReliable = false
    const asked = bench.ask({ waitMs: 5 })
    await vi.waitUntil(() => asked.error !== null)
    expect(asked.error?.code).toBe('WAIT_TIMEOUT')
  })
})

describe('a caller that waits for nobody', () => {
  test('waits a moment for a permit, and is told then that there is none', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { bench } = capped(1)
    await bench.lease()
    const asked = bench.ask({ waitMs: 0 })
    vi.advanceTimersByTime(LIMITS.permitWaitMs - 1)
    await settle()
    expect(asked.error).toBeNull()
    vi.advanceTimersByTime(1)
    await settle()
    expect(asked.error).toMatchObject({ code: 'POOL_EXHAUSTED', position: 1 })
    expect([bench.waiting, vi.getTimerCount() > 1]).toEqual([0, false])
  })

  test('is served where one comes in time, and waits for its dial then', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { bench, permits } = capped(1)
    await bench.lease()
    const asked = bench.ask({ waitMs: 0 })
    await settle()
    permits.grant(2)
    vi.advanceTimersByTime(3 * LIMITS.permitWaitMs)
    await settle()
    expect([asked.error, bench.connector.pending.length]).toEqual([null, 1])
    await work(bench)
    expect(asked.slot?.state.kind).toBe('leased')
  })

  test('is told where the dial that it waited for is cut', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { bench, permits } = capped(0)
    const asked = bench.ask({ waitMs: 0 })
    permits.grant(1)
    vi.advanceTimersByTime(LIMITS.permitWaitMs)
    permits.granted = 0
    expect(permits.taker.cut()).toBe(1)
    await work(bench)
    expect(asked.error).toBeNull()
    vi.advanceTimersByTime(LIMITS.permitWaitMs)
    await settle()
    expect(asked.error?.code).toBe('POOL_EXHAUSTED')
  })

  test('is told at once where the own maximum is reached', async () => {
    const { bench } = capped(1, { max: 1 })
    await bench.lease()
    const asked = bench.ask({ waitMs: 0 })
    await settle()
    expect(asked.error?.code).toBe('POOL_EXHAUSTED')
  })

  test('waits a moment where permits cannot be relied on, though one lies idle', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { bench, permits } = capped(1, { max: 1 })
    await bench.giveBack(await bench.lease())
    permits.isReliable = false
    const [asked, late] = [bench.ask({ waitMs: 0 }), bench.ask({ waitMs: 0 })]
    await settle()
    permits.rely(true)
    await settle()
    expect(asked.slot?.state.kind).toBe('leased')
    vi.advanceTimersByTime(LIMITS.permitWaitMs)
    await settle()
    expect(late.error?.code).toBe('POOL_EXHAUSTED')
  })
})

describe('what others want', () => {
  test('is given of what lies idle, the longest idle first, below the minimum too', async () => {
    const { bench, permits } = capped(3, { max: 4, min: 3 })
    const slots = [await bench.lease(), await bench.lease(), await bench.lease()]
    for (const slot of slots) {
      bench.nowMs++
      await bench.giveBack(slot)
    }
    permits.grant(1)
    expect(slots.map(({ state }) => state.kind)).toEqual(['closing', 'closing', 'idle'])
    expect(permits.use.taken).toBe(3)
    await work(bench)
    expect(permits.use).toEqual({ taken: 1, idle: 1, wanting: 0, cold: 2 })
    expect(bench.pool.history.closed).toEqual({ resize: 2 })
  })
})

describe('a cut', () => {
  test('ends exactly what is beyond the permits: idle ones, dials, those that come back, the youngest lease', async () => {
    const { bench, permits } = capped(6, { max: 6 })
    const slots: Slot[] = []
    for (let count = 0; count < 5; count++) slots.push(await bench.lease())
    const [idle, returning, oldest, middle, youngest] = slots as [Slot, Slot, Slot, Slot, Slot]
    await bench.giveBack(idle)
    const verdict = bench.pool.release(returning, null)
    const leases = [lend(bench, oldest, 30), lend(bench, middle, 20), lend(bench, youngest, 10)]
    const dialled = bench.ask({ tenant: 'other' })
    expect(bench.pool.counts).toMatchObject({ idle: 1, connecting: 1, quarantined: 1, leased: 3, closing: 0 })
    permits.granted = 2
    expect(permits.taker.cut()).toBe(4)
    expect(bench.pool.counts).toMatchObject({ leased: 2, closing: 4 })
    expect(leases.map(({ kills }) => kills)).toEqual([[], [], ['killed']])
    expect(await verdict).toEqual({ outcome: 'closed', reason: 'resize' })
    expect(permits.taker.cut()).toBe(0)
    await work(bench)
    expect(permits.use).toMatchObject({ taken: 2, wanting: 1 })
    // Who waited for the dial goes on waiting.
    expect([dialled.slot, dialled.error, bench.pool.waiters]).toEqual([null, null, 1])
    permits.grant(3)
    await work(bench)
    expect(dialled.slot?.state.kind).toBe('leased')
  })

  test('ends connections that serve many, too, by their lease', async () => {
    const { bench, permits } = capped(2)
    const slot = await bench.lease()
    const connection = slot.connection
    if (connection === null) throw new Error('it is connected')
    bench.pool.share(slot, connection)
    const { kills } = lend(bench, slot, 5)
    permits.granted = 0
    expect(permits.taker.cut()).toBe(1)
    expect(kills).toEqual(['killed'])
    expect(bench.pool.counts).toMatchObject({ multiplexed: 0, closing: 1 })
  })

  test('ends nothing where nothing is beyond them', async () => {
    const { bench, permits } = capped(2)
    await bench.lease()
    await bench.giveBack(await bench.lease())
    permits.granted = 2
    expect(permits.taker.cut()).toBe(0)
    expect(bench.pool.counts).toMatchObject({ idle: 1, leased: 1 })
  })

  test('waits for no peer that takes its time with the last bytes', async () => {
    const { bench, permits } = capped(2)
    const [slow, kept] = [await bench.lease(), await bench.lease()]
    void bench.pool.release(slow, 'policy', true)
    expect(bench.pool.counts).toMatchObject({ closing: 1, leased: 1 })
    permits.granted = 1
    expect(permits.taker.cut()).toBe(0)
    expect([slow.connection?.channel.shut, kept.state.kind]).toEqual(['abort', 'leased'])
  })
})

describe('a pool with permits that ends', () => {
  test('says so once, when its last connection is gone', async () => {
    const { bench, permits } = capped(2)
    const slot = await bench.lease()
    const closed = bench.pool.close('removed')
    const again = bench.pool.close()
    await settle()
    expect(permits.ends).toBe(0)
    void bench.pool.release(slot, 'revoked')
    await work(bench)
    await Promise.all([closed, again])
    expect([permits.ends, permits.use.taken]).toEqual([1, 0])
  })

  test('wants nothing any more', async () => {
    const { bench, permits } = capped(0, { max: 2, min: 1 })
    bench.ask()
    expect(permits.use).toMatchObject({ wanting: 1, cold: 1 })
    await bench.pool.close()
    expect(permits.use).toEqual({ taken: 0, idle: 0, wanting: 0, cold: 0 })
  })
})

test('permits hear of a lease of what lies idle, and of its release, that no more than that has changed', async () => {
  const { bench, permits } = capped(1)
  await bench.giveBack(await bench.lease())
  const { changes, idles } = permits
  const slot = await bench.lease()
  expect([permits.changes - changes, permits.idles - idles, permits.use.idle]).toEqual([0, 1, 0])
  await bench.giveBack(slot)
  expect([permits.changes, permits.use.idle]).toEqual([changes, 1])
  expect(permits.idles).toBeGreaterThan(idles + 1)
})

test('permits hear of each thing that changes what is used and wanted', async () => {
  const { bench, permits } = capped(1)
  const hears = async (run: () => unknown): Promise<boolean> => {
    const before = permits.changes + permits.idles
    await run()
    return permits.changes + permits.idles > before
  }
  const leaving = new AbortController()
  let slot: Slot | null = null
  expect(await hears(async () => (slot = await bench.lease()))).toBe(true)
  expect(await hears(() => bench.ask({ signal: leaving.signal }))).toBe(true)
  expect(await hears(() => leaving.abort())).toBe(true)
  expect(await hears(() => bench.giveBack(slot as unknown as Slot))).toBe(true)
  expect(await hears(() => bench.pool.control.resize({ min: 1 }))).toBe(true)
  expect(await hears(() => permits.grant(0))).toBe(true)
  expect(await hears(() => bench.connector.obey())).toBe(true)
})
