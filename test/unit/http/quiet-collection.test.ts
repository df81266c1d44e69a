import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import fastify from 'fastify'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { QuietCollection, quietCollection } from '../../../src/base/quiet-collection.ts'
import { HELD_BYTES, HeldBytes, registerHeldBytes } from '../../../src/http/bytes/held-bytes.ts'
import type { CollectingOrder } from '../../support/collecting-thread.ts'

const MUCH = LIMITS.quietCollectionBytes
const MANY = LIMITS.quietCollectionCalls
/** Milliseconds between two calls of a caller who has not gone. */
const LIGHT_MS = LIMITS.quietCollectionMs / (2 * LIMITS.quietCollectionCallsLeft)
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

test('a thread that has fallen quiet after many calls collects once', () => {
  for (let call = 1; call < MANY; call++) quiet.answered()
  vi.advanceTimersByTime(60_000)
  expect(collected).toBe(0)
  quiet.answered()
  expect(collected).toBe(0)
  vi.advanceTimersByTime(60_000)
  expect(collected).toBe(1)
})

test('light calls that go on keep their garbage until they are over, but for that of much', () => {
  const call = (): void => {
    quiet.answered()
    vi.advanceTimersByTime(LIGHT_MS)
  }
  for (let count = 0; count < 2 * MANY; count++) call()
  expect(collected).toBe(0)
  quiet.passed(MUCH)
  for (let count = 0; count < 2 * MANY; count++) call()
  expect(collected).toBe(1)
  busy = 1
  vi.advanceTimersByTime(60_000)
  expect(collected).toBe(1)
  busy = LIMITS.quietCollectionBusyMax
  vi.advanceTimersByTime(LIMITS.quietCollectionMs)
  expect(collected).toBe(2)
})

test('an app counts each answer, and the bytes of large ones', async () => {
  vi.useRealTimers()
  const answered = vi.spyOn(QuietCollection.prototype, 'answered')
  const passed = vi.spyOn(QuietCollection.prototype, 'passed')
  const app = fastify()
  registerHeldBytes(app)
  app.addHook('onRequest', async request => {
    request.setDecorator(HELD_BYTES, new HeldBytes('the caller', Infinity))
  })
  app.get('/small', () => 'x')
  app.get('/large', () => 'x'.repeat(LIMITS.heldBytesMin))
  for (const url of ['/small', '/large', '/small']) await app.inject({ url })
  expect(answered).toHaveBeenCalledTimes(3)
  expect(passed.mock.calls).toEqual([[LIMITS.heldBytesMin]])
  await app.close()
  vi.restoreAllMocks()
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
