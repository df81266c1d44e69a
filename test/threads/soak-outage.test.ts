import { describe, expect, test } from 'vitest'
import { hangingDialsMax, roundsMax } from '../soak/dial-bound.ts'
import { outage } from '../soak/outage.ts'
import { OUTAGE } from '../soak/scales.ts'
import { watchLeaks } from '../support/leak-watch.ts'

test('a target that is down is dialled no more often than it may be, and meets no herd when it is back', async () => {
  watchLeaks()
  const { figures, violations } = await outage({ ...OUTAGE.small, seed: Math.floor(Math.random() * 1e6) })
  expect(violations).toEqual([])
  const { 'refuses: dials': refused, 'breaks: dials': broken, 'hangs: dials': hung } = figures
  expect(Math.min(refused ?? 0, broken ?? 0, hung ?? 0)).toBeGreaterThan(3)
})

describe('the bound of the dials', () => {
  test('grows as the backoff does, and then by one in half of its longest', () => {
    const rounds = [1_000, 10_000, 60_000].map(roundsMax)
    expect(rounds[0]).toBeGreaterThan(8)
    expect(rounds[1]).toBeLessThan(30)
    expect(rounds[2]).toBeGreaterThan(10 + 55_000 / 2_500)
    expect(rounds[2]).toBeLessThan(2 * (10 + 55_000 / 2_500))
  })

  test('is a lane for each dial where they hang', () => {
    expect(hangingDialsMax(60_000, 4, 1_000)).toBe(244)
  })
})
