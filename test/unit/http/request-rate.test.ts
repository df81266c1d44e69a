import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { SharedTally } from '../../../src/channel/shared-tally.ts'
import { RequestRate } from '../../../src/http/door/request-rate.ts'
import { SharedRate } from '../../../src/http/door/shared-rate.ts'

type Make = (requestsPerSecond: number, burst: number, now: () => number) => { take(): void }

const plain: Make = (requestsPerSecond, burst, now) => new RequestRate({ requestsPerSecond, burst, now })

/** Two threads take turns. */
const shared: Make = (requestsPerSecond, burst, now) => {
  const first = new SharedTally(2, 0)
  const nowNs = (): bigint => BigInt(Math.round(now() * 1e6))
  const rates = [first, new SharedTally(2, 1, first.memory)].map(
    tally => new SharedRate({ requestsPerSecond, burst, tally, nowNs }),
  )
  let turn = 0
  return { take: () => rates[turn++ % 2]?.take() }
}

function bucketOf(make: Make, requestsPerSecond: number, burst: number) {
  let nowMs = 0
  const rate = make(requestsPerSecond, burst, () => nowMs)
  /** How many requests pass at the instant. */
  const passing = (atMs: number): number => {
    nowMs = atMs
    for (let count = 0; ; count++) {
      try {
        rate.take()
      } catch (error) {
        if (error instanceof SockpoolError && error.code === 'RATE_LIMITED') return count
        throw error
      }
    }
  }
  return { rate, passing }
}

describe.each([
  ['RequestRate', plain],
  ['SharedRate', shared],
])('%s', (_name, make) => {
  const bucket = (requestsPerSecond: number, burst: number) => bucketOf(make, requestsPerSecond, burst)

  test('admits the burst, then one request for each share of a second', () => {
    const { passing } = bucket(10, 3)
    expect([0, 0, 99, 100, 150, 200, 10_000].map(passing)).toEqual([3, 0, 0, 1, 0, 1, 3])
  })

  test('never lets more than the burst and the rate together pass in any second', () => {
    const { passing } = bucket(50, 5)
    const passed = Array.from({ length: 2_000 }, (_, atMs) => passing(atMs))
    for (let start = 0; start + 1_000 <= passed.length; start += 100) {
      const inSecond = passed.slice(start, start + 1_000).reduce((sum, count) => sum + count, 0)
      expect(inSecond).toBeLessThanOrEqual(55)
      expect(inSecond).toBeGreaterThanOrEqual(49)
    }
  })

  test('says when the next request may come', () => {
    const { rate, passing } = bucket(4, 1)
    passing(0)
    expect(() => rate.take()).toThrow(expect.objectContaining({ code: 'RATE_LIMITED', expectedWaitMs: 250 }))
    expect(passing(249)).toBe(0)
    expect(passing(250)).toBe(1)
  })
})
