import { expect, onTestFinished, test, vi } from 'vitest'
import { DialTime } from '../../../workers/io/dial-time.ts'

/** Work that ends when its signal does. */
const endless = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))))

function dialOf(timeoutMs: number) {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const dial = new AbortController()
  return { dial, time: new DialTime(dial.signal, performance.now() + timeoutMs) }
}

test('DialTime.share gives each of three its part of what is left, and the last all of it', async () => {
  const { time } = dialOf(900)
  const first = time.share(3).bound('the first', endless)
  first.catch(() => {})
  await vi.advanceTimersByTimeAsync(299)
  await vi.advanceTimersByTimeAsync(1)
  await expect(first).rejects.toMatchObject({
    code: 'CONNECT_TIMEOUT',
    message: 'no answer for the first within its 300 ms',
  })
  // The second is done early: the third has what it left.
  await vi.advanceTimersByTimeAsync(100)
  expect(time.share(1).untilMs - performance.now()).toBe(500)
  expect(time.share(1)).toBe(time)
})

test('DialTime of a share that is shared again ends with it', () => {
  const { time } = dialOf(1_000)
  const place = time.share(2)
  expect(place.share(5).untilMs - performance.now()).toBe(100)
  expect(place.share(1).untilMs - performance.now()).toBe(500)
})

test('DialTime of the whole dial sets no timer, and ends by the signal of the dial alone', async () => {
  const { dial, time } = dialOf(1_000)
  const work = time.bound('it', endless)
  expect(vi.getTimerCount()).toBe(0)
  dial.abort()
  await expect(work).rejects.toThrow('ended')
})

test('DialTime.bound gives the failure of the work, and of the dial, as they are', async () => {
  const { dial, time } = dialOf(1_000)
  const failing = time.share(2).bound('it', () => Promise.reject(new Error('broken')))
  await expect(failing).rejects.toThrow('broken')
  const ended = time.share(2).bound('it', endless)
  dial.abort()
  await expect(ended).rejects.toThrow('ended')
  expect(vi.getTimerCount()).toBe(0)
})

test('DialTime of a dial without an end has shares that no timer outlives', async () => {
  const { time } = dialOf(Number.POSITIVE_INFINITY)
  expect(await time.share(3).bound('it', () => Promise.resolve('there'))).toBe('there')
  expect(vi.getTimerCount()).toBe(0)
})
