import { afterEach, expect, test, vi } from 'vitest'
import { EventTail } from '../../../src/dashboard/service/event-tail.ts'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

test('a tail that comes again and again leaves nothing behind on its signal', async () => {
  vi.useFakeTimers()
  const heard = vi.spyOn(AbortSignal.prototype, 'addEventListener')
  const forgotten = vi.spyOn(AbortSignal.prototype, 'removeEventListener')
  const open = vi.fn(() => Promise.reject(new Error('nobody is there')))
  const tail = new EventTail({ api: { open }, hear: () => {}, turn: () => {} })
  tail.start()
  await vi.advanceTimersByTimeAsync(10_500)
  expect(open).toHaveBeenCalledTimes(6)
  // That of the pause which is under way.
  expect(heard.mock.calls.length - forgotten.mock.calls.length).toBe(1)
  tail.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(open).toHaveBeenCalledTimes(6)
})
