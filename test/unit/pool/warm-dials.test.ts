/** The dials of a warm minimum, on timers that the test moves. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { WarmDials } from '../../../src/pool/target/warm-dials.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** A target that is short of so many connections, and may have so many dials under way. */
class ShortTarget {
  dialled = 0
  mayDial = true
  readonly warmth: WarmDials

  constructor(min: number, random: () => number) {
    this.warmth = new WarmDials({
      isShort: () => this.dialled < min,
      mayDial: () => this.mayDial,
      dial: () => this.dialled++,
      random,
    })
  }
}

test('WarmDials dials the first at once, and each other one a random while after the one before', () => {
  const shares = [0.5, 0.25]
  const target = new ShortTarget(3, () => shares.shift() ?? 1)
  target.warmth.fill()
  expect(target.dialled).toBe(1)
  vi.advanceTimersByTime(LIMITS.warmDialPauseMs * 0.5 - 1)
  // What else asks for them meanwhile brings none forward.
  target.warmth.fill()
  expect(target.dialled).toBe(1)
  vi.advanceTimersByTime(1)
  expect(target.dialled).toBe(2)
  vi.advanceTimersByTime(LIMITS.warmDialPauseMs * 0.25)
  expect([target.dialled, vi.getTimerCount()]).toEqual([3, 0])
})

test('WarmDials ends where the target may not be dialled, and goes on when it is asked again', () => {
  const target = new ShortTarget(3, () => 0.5)
  target.warmth.fill()
  target.mayDial = false
  vi.advanceTimersByTime(LIMITS.warmDialPauseMs)
  expect([target.dialled, vi.getTimerCount()]).toEqual([1, 0])
  target.mayDial = true
  target.warmth.fill()
  expect(target.dialled).toBe(2)
})

test('WarmDials that is stopped dials no more', () => {
  const target = new ShortTarget(3, () => 0.5)
  target.warmth.fill()
  target.warmth.stop()
  vi.advanceTimersByTime(1_000)
  expect(target.dialled).toBe(1)
})

test('WarmDials without a random share dials all at once', () => {
  const target = new ShortTarget(3, () => 0)
  target.warmth.fill()
  expect(target.dialled).toBe(3)
})
