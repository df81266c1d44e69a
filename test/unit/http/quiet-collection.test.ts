import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { QuietCollection, quietCollection } from '../../../src/http/quiet-collection.ts'
import type { CollectingOrder } from '../../support/collecting-thread.ts'

const MUCH = LIMITS.quietCollectionBytes
let busy: number
let collected: number
let quiet: QuietCollection

beforeEach(() => {
  vi.useFakeTimers()
  busy = 0
  collected = 0
  quiet = new QuietCollection({ collect: () => void collected++, busyShare: () => busy })
})
afterEach(() => {
  quiet.stop()
  vi.useRealTimers()
})

test('a thread that has fallen quiet after much collects once', () => {
  quiet.passed(MUCH / 2)
  vi.advanceTimersByTime(60_000)
  expect(collected).toBe(0)
  quiet.passed(MUCH / 2)
  expect(collected).toBe(0)
  vi.advanceTimersByTime(60_000)
  expect(collected).toBe(1)
})

test('a busy thread collects when it has fallen quiet', () => {
  busy = 1
  quiet.passed(MUCH)
  vi.advanceTimersByTime(60_000)
  expect(collected).toBe(0)
  busy = LIMITS.quietCollectionBusyMax
  vi.advanceTimersByTime(LIMITS.quietCollectionMs)
  expect(collected).toBe(1)
})

test('each burst has a collection of its own, and none comes after the end', () => {
  for (let burst = 1; burst <= 3; burst++) {
    quiet.passed(MUCH)
    vi.advanceTimersByTime(60_000)
    expect(collected).toBe(burst)
  }
  quiet.passed(MUCH)
  quiet.stop()
  vi.advanceTimersByTime(60_000)
  expect(collected).toBe(3)
})

test('threads that collect at once do not hide the collector from each other', async () => {
  vi.useRealTimers()
  const order: CollectingOrder = { gate: new Int32Array(new SharedArrayBuffer(4)), rounds: 100 }
  const threads = Array.from(
    { length: 4 },
    () =>
      new Worker(new URL('../../support/collecting-thread.ts', import.meta.url), {
        workerData: order,
        execArgv: [],
      }),
  )
  const words = () => Promise.all(threads.map(async thread => (await once(thread, 'message'))[0]))
  expect(await words()).toEqual(Array(4).fill('ready'))
  const ended = words()
  Atomics.store(order.gate, 0, 1)
  Atomics.notify(order.gate, 0)
  expect(await ended).toEqual(Array(4).fill('done'))
  await Promise.all(threads.map(thread => thread.terminate()))
})

test('garbage of the thread is gone after it', async () => {
  vi.useRealTimers()
  const registry = Promise.withResolvers<void>()
  const gone = new FinalizationRegistry(registry.resolve)
  gone.register(new Array(1_000).fill('garbage'), undefined)
  // A task later nothing of this one's stack is left.
  await new Promise(resolve => setImmediate(resolve))
  vi.useFakeTimers()
  const own = quietCollection()
  own.passed(MUCH)
  busy = 0
  vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 1, active: 0, utilization: 0 })
  vi.advanceTimersByTime(LIMITS.quietCollectionMs)
  vi.useRealTimers()
  await registry.promise
  own.stop()
  vi.restoreAllMocks()
  expect(Reflect.get(globalThis, 'gc')).toBeUndefined()
})
