import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LeaseClock } from '../../../src/pool/lease/lease-clock.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

function clockOf(ttlMs: number | null): { clock: LeaseClock; expired: () => boolean } {
  let isExpired = false
  const clock = new LeaseClock({
    ttlMs,
    now: () => Date.now(),
    onExpired: () => {
      isExpired = true
    },
  })
  return { clock, expired: () => isExpired }
}

test('LeaseClock expires after its ttl without an operation', () => {
  const { clock, expired } = clockOf(100)
  expect(clock.expiresAt).toEqual(new Date(1_000_100))
  vi.advanceTimersByTime(99)
  expect(expired()).toBe(false)
  vi.advanceTimersByTime(1)
  expect(expired()).toBe(true)
})

test('LeaseClock never expires while an operation runs, and starts anew when it ends', () => {
  const { clock, expired } = clockOf(100)
  vi.advanceTimersByTime(90)
  clock.begin('read')
  expect(clock.lastOperation).toBe('read')
  vi.advanceTimersByTime(1_000)
  expect(expired()).toBe(false)
  expect(clock.idleMs).toBe(0)
  clock.end()
  vi.advanceTimersByTime(99)
  expect(clock.idleMs).toBe(99)
  expect(expired()).toBe(false)
  vi.advanceTimersByTime(101)
  expect(expired()).toBe(true)
})

test('LeaseClock counts operations that overlap', () => {
  const { clock, expired } = clockOf(100)
  clock.begin('read')
  clock.begin('write')
  clock.end()
  vi.advanceTimersByTime(500)
  expect(expired()).toBe(false)
  expect(clock.isBusy).toBe(true)
})

test('LeaseClock.renew sets the ttl anew, also a shorter one', () => {
  const { clock, expired } = clockOf(100)
  vi.advanceTimersByTime(90)
  clock.renew()
  vi.advanceTimersByTime(90)
  expect(expired()).toBe(false)
  clock.renew(10)
  expect(clock.expiresAt).toEqual(new Date(Date.now() + 10))
  vi.advanceTimersByTime(10)
  expect(expired()).toBe(true)
})

test('LeaseClock without a ttl never expires', () => {
  const { clock, expired } = clockOf(null)
  expect(clock.expiresAt).toBeNull()
  vi.advanceTimersByTime(1e9)
  expect(expired()).toBe(false)
  expect(clock.ageMs).toBe(1e9)
})

test('LeaseClock.stop leaves no timer', () => {
  const { clock } = clockOf(100)
  clock.stop()
  expect(vi.getTimerCount()).toBe(0)
})

test('LeaseClock counts what its holder does beside operations', () => {
  let isExpired = false
  let activity = { waits: false, bytes: 0 }
  const clock = new LeaseClock({
    ttlMs: 100,
    now: () => Date.now(),
    onExpired: () => {
      isExpired = true
    },
    activity: () => activity,
  })
  vi.advanceTimersByTime(90)
  activity = { waits: false, bytes: 1 }
  vi.advanceTimersByTime(90)
  expect(isExpired).toBe(false)
  activity = { waits: true, bytes: 1 }
  vi.advanceTimersByTime(1_000)
  expect(isExpired).toBe(false)
  expect(clock.idleMs).toBe(0)
  activity = { waits: false, bytes: 1 }
  vi.advanceTimersByTime(100)
  expect(isExpired).toBe(true)
})

test('LeaseClock.renew with null lifts the ttl, and a ttl again ends that', () => {
  const { clock, expired } = clockOf(100)
  clock.renew(null)
  expect(clock.expiresAt).toBeNull()
  vi.advanceTimersByTime(1_000_000)
  expect(expired()).toBe(false)
  clock.renew(50)
  vi.advanceTimersByTime(50)
  expect(expired()).toBe(true)
})

test('LeaseClock sets one timer for the longest ttl, and expires when that is over', () => {
  const longestMs = 2 ** 31 - 1
  const { expired } = clockOf(longestMs)
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(longestMs - 1)
  expect(expired()).toBe(false)
  vi.advanceTimersByTime(1)
  expect(expired()).toBe(true)
})
