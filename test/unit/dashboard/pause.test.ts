import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { pause } from '../../../src/dashboard/service/pause.ts'

afterEach(() => void vi.useRealTimers())

describe('pause', () => {
  test.each<[how: string, end: (controller: AbortController) => unknown]>([
    ['its time is over', () => vi.advanceTimersByTime(2_000)],
    ['it is cut short', controller => controller.abort()],
  ])('leaves neither a timer nor a listener when %s', async (_how, end) => {
    vi.useFakeTimers()
    const controller = new AbortController()
    const paused = pause(2_000, controller.signal)
    expect([vi.getTimerCount(), getEventListeners(controller.signal, 'abort').length]).toEqual([1, 1])
    end(controller)
    await paused
    expect([vi.getTimerCount(), getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0])
  })
})
