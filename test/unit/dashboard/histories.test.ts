import { describe, expect, test } from 'vitest'
import type { ServiceEvent } from '../../../src/dashboard/service/event-lines.ts'
import type { ServiceFigures, TargetFigures } from '../../../src/dashboard/service/figures.ts'
import { Histories } from '../../../src/dashboard/service/histories.ts'
import { CLASS_ENDS_MS, RollingTimes } from '../../../src/dashboard/service/rolling-times.ts'
import { quantile, TargetHistory } from '../../../src/dashboard/service/target-history.ts'

const MINUTE_MS = 60_000
const START_MS = 1_000 * MINUTE_MS

describe('RollingTimes', () => {
  test('counts each duration in the class that it ends in, and forgets it after ten minutes', () => {
    const times = new RollingTimes()
    for (const ms of [0, 1, 1.1, 60_000, 1e9]) times.add(ms, START_MS)
    times.add(2, START_MS + MINUTE_MS)
    const counts = times.counts(START_MS + 2 * MINUTE_MS)
    expect(counts.length).toBe(CLASS_ENDS_MS.length + 1)
    expect([counts[0], counts[1], counts.at(-2), counts.at(-1)]).toEqual([2, 2, 1, 1])
    const later = times.counts(START_MS + 10 * MINUTE_MS)
    expect(later.reduce((sum, count) => sum + count, 0)).toBe(1)
    times.add(2, START_MS + 10 * MINUTE_MS)
    expect(times.counts(START_MS + 10 * MINUTE_MS)[1]).toBe(2)
    expect(times.counts(START_MS + 30 * MINUTE_MS).some(count => count > 0)).toBe(false)
  })
})

describe('TargetHistory', () => {
  test('has the quantiles of the waits since the last point, and none where nobody waited', () => {
    const history = new TargetHistory()
    for (let ms = 1; ms <= 100; ms++) history.waited(ms, START_MS)
    history.point({ waiters: 3, leased: 2 }, START_MS)
    // Too soon for another.
    history.point({ waiters: 9, leased: 9 }, START_MS + 1_000)
    history.point({ waiters: 1, leased: 1 }, START_MS + 2_000)
    expect(history.points).toEqual({
      times: [START_MS / 1_000, START_MS / 1_000 + 2],
      waiters: [3, 1],
      leased: [2, 1],
      waitMedian: [51, null],
      waitHigh: [96, null],
    })
  })

  test('keeps ten minutes', () => {
    const history = new TargetHistory()
    for (let at = 0; at < 500; at++) history.point({ waiters: at, leased: 0 }, START_MS + at * 2_000)
    expect([history.points.times.length, history.points.waiters[0]]).toEqual([300, 200])
  })

  test('quantile of nothing is none', () => {
    expect([quantile([], 0.5), quantile([1], 0.95), quantile([1, 2], 1)]).toEqual([null, 1, 2])
  })
})

describe('Histories', () => {
  const event = (kind: string, target: string, ms: number | null): ServiceEvent => ({
    kind,
    target,
    ms,
    id: null,
    reason: null,
    worker: null,
    count: 5,
  })
  const figures = { waiters: 1, connections: { leased: 2 } }
  const service = figures as unknown as ServiceFigures
  const target = (name: string) => ({ ...figures, name }) as unknown as TargetFigures
  const sum = (history: TargetHistory) =>
    history.holds.counts(START_MS).reduce((all, count) => all + count, 0)

  test('tells each target from all, forgets those that are gone, and bounds how many it knows', () => {
    const histories = new Histories()
    histories.happened(event('release', 'one', 5), START_MS)
    histories.happened(event('release', 'two', 5), START_MS)
    histories.happened(event('lease', 'two', 5), START_MS)
    histories.happened(event('dropped', 'two', null), START_MS)
    expect([sum(histories.all), sum(histories.of('one')), histories.dropped]).toEqual([2, 1, 5])
    histories.round(service, [target('two')], START_MS)
    expect([sum(histories.of('one')), sum(histories.of('two'))]).toEqual([0, 1])
    for (let at = 0; at < 300; at++) histories.happened(event('release', `t${at}`, 1), START_MS)
    expect([sum(histories.of('t100')), sum(histories.of('t299')), sum(histories.all)]).toEqual([1, 0, 302])
  })
})
