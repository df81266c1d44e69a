import { expect, test } from 'vitest'
import { DURATION_BUCKETS, durationBucket } from '../../../src/base/duration-buckets.ts'
import { SharedDurations } from '../../../src/channel/shared-durations.ts'
import { SharedGauge } from '../../../src/channel/shared-gauge.ts'

const OTHER = 'other'

test('SharedDurations shows another thread what was counted, by name', () => {
  const own = new SharedDurations(4, OTHER)
  const seen = new SharedDurations(4, OTHER, own.memory)
  own.observe('GET /é 200', 3)
  own.observe('GET /é 200', 0.05)
  own.observe('POST / 500', 2_000)
  const rows = seen.rows()
  expect(rows.map(({ name }) => name)).toEqual(['GET /é 200', 'POST / 500'])
  const [first] = rows
  expect(first?.counts.length).toBe(DURATION_BUCKETS)
  expect([first?.counts[0], first?.counts[durationBucket(3)]]).toEqual([1, 1])
  expect(first?.sumSeconds).toBeCloseTo(0.003_05, 9)
})

test('SharedDurations goes on with the memory of a thread that is gone', () => {
  const { memory } = new SharedDurations(4, OTHER)
  new SharedDurations(4, OTHER, memory).observe('a', 1)
  const next = new SharedDurations(4, OTHER, memory)
  next.observe('a', 1)
  next.observe('b', 1)
  const counts = next.rows().map(({ name, counts: own }) => [name, own[durationBucket(1)]])
  expect(counts).toEqual([
    ['a', 2],
    ['b', 1],
  ])
})

test('SharedDurations counts together what finds no room for its name', () => {
  const own = new SharedDurations(3, OTHER)
  for (const name of ['a', 'b', 'c', 'd', 'a', 'c']) own.observe(name, 1)
  const counts = own.rows().map(({ name, counts: buckets }) => [name, buckets[durationBucket(1)]])
  expect(counts).toEqual([
    ['a', 2],
    ['b', 1],
    [OTHER, 3],
  ])
})

test('SharedDurations keeps the trace of a duration on the thread that counts', () => {
  const own = new SharedDurations(3, OTHER)
  own.observe('a', 1, 'f'.repeat(32))
  expect(own.rows()[0]?.exemplars?.get(durationBucket(1))).toMatchObject({ seconds: 0.001 })
  expect(new SharedDurations(3, OTHER, own.memory).rows()[0]?.exemplars).toBeNull()
})

test('SharedGauge shows what was told last, to the microsecond', () => {
  const own = new SharedGauge()
  own.tell(12.345)
  own.tell(0.5)
  expect(new SharedGauge(own.memory).ms).toBe(0.5)
})
