import { Counter, Registry } from '@prometheus-io/client'
import { expect, test } from 'vitest'
import { DurationTally } from '../../../src/base/duration-tally.ts'
import { exposition } from '../../../src/metrics/exposition.ts'
import { FAMILIES } from '../../../src/metrics/families.ts'
import { Samples } from '../../../src/metrics/samples.ts'
import { ExpositionPage, metricsOf } from '../../support/exposition.ts'

function processRegistry(): Registry {
  const registry = new Registry()
  new Counter({ name: 'process_calls_total', help: 'Calls.', registers: [registry] }).inc(3)
  return registry
}

test('exposition declares every metric, also one of which nothing is known', async () => {
  const { text, contentType } = await exposition(new Samples(), processRegistry(), 'text/plain')
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  const page = new ExpositionPage(text)
  for (const { name, type } of Object.values(FAMILIES)) expect(page.types.get(name)).toBe(type)
  expect(page.samples.map(({ name, value }) => [name, value])).toEqual([['process_calls_total', 3]])
})

test('exposition in OpenMetrics has counters by their bare name, and an end', async () => {
  const samples = new Samples()
  samples.add('relayBytes', { direction: 'in' }, 5)
  const { text } = await exposition(samples, processRegistry(), 'application/openmetrics-text')
  expect(text.endsWith('\n# EOF\n')).toBe(true)
  const page = new ExpositionPage(text)
  expect(page.types.get('sockpool_relay_bytes')).toBe('counter')
  expect(page.types.get('process_calls')).toBe('counter')
  expect(page.sum('sockpool_relay_bytes_total')).toBe(5)
  expect(page.sum('process_calls_total')).toBe(3)
})

test('exposition adds buckets up, and keeps labels apart from what they say', async () => {
  const samples = new Samples()
  const tally = new DurationTally()
  for (const ms of [0.01, 3, 3, 90_000]) tally.observe(ms)
  samples.addDurations('lease', { target: 'a"b\\c\nd' }, tally)
  const page = new ExpositionPage((await exposition(samples, processRegistry(), 'text/plain')).text)
  const of = (le: string): number => page.sum('sockpool_pool_lease_duration_seconds_bucket', { le })
  expect([of('0.0001'), of('0.0025'), of('0.005'), of('30'), of('+Inf')]).toEqual([1, 1, 3, 3, 4])
  expect(page.sum('sockpool_pool_lease_duration_seconds_count')).toBe(4)
  expect(page.sum('sockpool_pool_lease_duration_seconds_sum')).toBeCloseTo(90.006_01, 9)
  expect(page.all('sockpool_pool_lease_duration_seconds_count')[0]?.labels).toEqual({
    target: 'a\\"b\\\\c\\nd',
  })
})

test('exposition prints a long page in several turns', async () => {
  const samples = new Samples()
  const tally = new DurationTally()
  const long = ['acquire', 'connect', 'exchange', 'lease'] as const
  for (const family of long)
    for (let target = 0; target < 200; target++)
      samples.addDurations(family, { target: `${target}`, result: 'ok' }, tally)
  let turns = 0
  let isOver = false
  const turn = (): void => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  const { text } = await exposition(samples, processRegistry(), 'text/plain')
  isOver = true
  expect(turns).toBeGreaterThanOrEqual(long.length)
  expect(new ExpositionPage(text).all('sockpool_exchange_duration_seconds_count')).toHaveLength(200)
})

test('metricsOf finds the metrics of an expression, and nothing else', () => {
  const expression =
    'histogram_quantile(0.99, sum by (target, le) (rate(a_bucket{target="b", x=~"c(d)"}[5m]))) > 0.5 and on (target) max_over_time(e_total[1h]) or f unless g_count'
  expect(metricsOf(expression)).toEqual(['a_bucket', 'e_total', 'f', 'g_count'])
})
