import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { ClientPulse } from '../../../src/http/streaming/client-pulse.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function pulse() {
  const seen = { bytes: 0, isPaused: false, pings: 0, gone: 0 }
  const made = new ClientPulse({
    bytesRead: () => seen.bytes,
    isPaused: () => seen.isPaused,
    ping: () => void seen.pings++,
    onGone: () => void seen.gone++,
  })
  return { seen, stop: () => made.stop() }
}

test('ClientPulse pings every fifteen seconds', () => {
  const { seen, stop } = pulse()
  for (let second = 1; second <= 60; second++) {
    seen.bytes++
    vi.advanceTimersByTime(1_000)
  }
  expect(seen).toMatchObject({ pings: 60_000 / LIMITS.streamPingMs, gone: 0 })
  stop()
})

test('ClientPulse calls a client gone that was silent for thirty seconds, once', () => {
  const { seen } = pulse()
  vi.advanceTimersByTime(LIMITS.streamSilenceMs - 1)
  expect(seen.gone).toBe(0)
  vi.advanceTimersByTime(LIMITS.streamLookMs)
  expect(seen.gone).toBe(1)
  vi.advanceTimersByTime(120_000)
  expect(seen.gone).toBe(1)
})

test('ClientPulse counts no silence while nobody listens, and all of it from then on', () => {
  const { seen } = pulse()
  seen.isPaused = true
  vi.advanceTimersByTime(300_000)
  expect(seen).toMatchObject({ gone: 0, pings: 300_000 / LIMITS.streamPingMs })
  seen.isPaused = false
  vi.advanceTimersByTime(LIMITS.streamSilenceMs)
  expect(seen.gone).toBe(1)
})

test('ClientPulse that was stopped says nothing', () => {
  const { seen, stop } = pulse()
  stop()
  vi.advanceTimersByTime(300_000)
  expect(seen).toMatchObject({ pings: 0, gone: 0 })
})
