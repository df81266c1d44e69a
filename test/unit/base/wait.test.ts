import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { timerMs } from '../../../src/base/timer.ts'
import { Wait } from '../../../src/base/wait.ts'

const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

test('timerMs is what a timer can wait, whatever was named', () => {
  expect([250.5, 0, -1, LIMITS.timerMsMax].map(timerMs)).toEqual([250.5, 0, 0, LIMITS.timerMsMax])
  expect([2 ** 31, Number.POSITIVE_INFINITY].map(timerMs)).toEqual([LIMITS.timerMsMax, LIMITS.timerMsMax])
  expect(timerMs(Number.NaN)).toBe(0)
})

test('Wait leaves no timer behind where it cannot listen to its signal', () => {
  const before = timers()
  const signal = 'x' as unknown as AbortSignal
  const make = (): unknown => new Wait('it', 'WAIT_TIMEOUT', { signal, timeoutMs: 60_000 }, () => {})
  expect(make).toThrow(TypeError)
  expect(timers()).toBe(before)
})

test.each([Number.POSITIVE_INFINITY, undefined])('Wait has no timer for %s', timeoutMs => {
  const before = timers()
  const wait = new Wait<void>('it', 'WAIT_TIMEOUT', { timeoutMs }, () => {})
  expect(timers()).toBe(before)
  wait.resolve()
})
