import { beforeEach, describe, expect, test } from 'vitest'
import { CapLaw } from '../../fleet/cap-law.ts'
import type { OpenCounts } from '../../fleet/upstream.ts'

const CAP = 100
const INSTANCES = 3
let nowMs = 0
let law: CapLaw

const seen = (atMs: number, ...byPort: number[]): OpenCounts => ({
  atMs,
  byPort,
  total: byPort.reduce((sum, count) => sum + count, 0),
})

/** By instant: what was allowed where more than the cap was open. */
const allowedAt = (...counts: readonly OpenCounts[]): readonly (readonly [number, number])[] =>
  law.judge(counts).map(({ counts: { atMs }, allowed }) => [atMs, allowed])

beforeEach(() => {
  nowMs = 0
  law = new CapLaw(CAP, INSTANCES, () => nowMs)
})

/** What is begun at an instant, and over at another. */
function lasts(begin: () => () => void, fromMs: number, toMs: number): void {
  nowMs = fromMs
  const over = begin()
  nowMs = toMs
  over()
}

describe('the law of a cap', () => {
  test('allows no more than the cap where all is well', () => {
    expect(allowedAt(seen(1_000, 40, 30, 30), seen(2_000, 40, 30, 31))).toEqual([[2_000, CAP]])
  })

  test('excuses what an instance has that stood still for long, until it has had time to close it', () => {
    lasts(() => law.freeze(1), 10_000, 30_000)
    const counts = [9_000, 19_000, 21_000, 34_000, 36_000].map(atMs => seen(atMs, 60, 20, 40))
    expect(allowedAt(...counts)).toEqual([
      [9_000, CAP],
      [19_000, CAP],
      [21_000, CAP + 20],
      [34_000, CAP + 20],
      [36_000, CAP],
    ])
  })

  test('excuses no more than it had before, and none of what others have', () => {
    lasts(() => law.freeze(1), 10_000, 30_000)
    expect(allowedAt(seen(15_000, 60, 20, 20), seen(21_000, 60, 50, 20), seen(22_000, 110, 5, 0))).toEqual([
      [21_000, CAP + 20],
      [22_000, CAP + 5],
    ])
  })

  test('excuses what it got by a word that it may have heard after the engine was away, and before it stood still', () => {
    lasts(() => law.loseEngine(), 10_000, 20_000)
    lasts(() => law.freeze(1), 25_000, 45_000)
    expect(allowedAt(seen(19_000, 80, 10, 10), seen(30_000, 70, 14, 16), seen(40_000, 90, 14, 10))).toEqual([
      [40_000, CAP + 14],
    ])
  })

  test('excuses nothing of one that stood still for a moment', () => {
    lasts(() => law.freeze(1), 10_000, 17_000)
    expect(allowedAt(seen(22_000, 60, 40, 40))).toEqual([[22_000, CAP]])
  })

  test('takes times that nothing need have been heard between for one, of the instance and of the engine', () => {
    lasts(() => law.freeze(1), 10_000, 17_000)
    lasts(() => law.loseEngine(), 20_000, 30_000)
    const counts = [seen(5_000, 30, 40, 30), seen(25_000, 60, 40, 40), seen(31_000, 60, 40, 40)]
    expect(allowedAt(...counts)).toEqual([
      [25_000, CAP + 40],
      [31_000, CAP + 140],
    ])
  })

  test('allows a chunk of each after the engine came back empty, for as long as a word holds', () => {
    nowMs = 10_000
    law.emptied()
    const counts = [9_000, 11_000, 24_000, 40_000].map(atMs => seen(atMs, 60, 40, 40))
    expect(allowedAt(...counts)).toEqual([
      [9_000, CAP],
      [11_000, CAP + 18],
      [24_000, CAP + 18],
      [40_000, CAP],
    ])
  })
})
