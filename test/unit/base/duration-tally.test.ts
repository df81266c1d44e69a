import { AsyncLocalStorage } from 'node:async_hooks'
import { type Context, context, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api'
import { expect, onTestFinished, test } from 'vitest'
import { DURATION_BOUNDS, durationBucket } from '../../../src/base/duration-buckets.ts'
import { DurationTally } from '../../../src/base/duration-tally.ts'
import { SockpoolError } from '../../../src/base/errors.ts'
import { ResultTally } from '../../../src/base/result-tally.ts'
import { recordedTraceOf } from '../../../src/tracing/trace-parent.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

test('durationBucket has each bound in its own bucket, and what lies beyond in the next', () => {
  for (const [bucket, seconds] of DURATION_BOUNDS.entries()) {
    expect(durationBucket(seconds * 1_000)).toBe(bucket)
    expect(durationBucket(seconds * 1_001)).toBe(bucket + 1)
  }
  expect(durationBucket(0)).toBe(0)
  expect(durationBucket(Number.MAX_VALUE)).toBe(DURATION_BOUNDS.length)
})

test('DurationTally counts each duration once, and adds them up', () => {
  const tally = new DurationTally()
  for (const ms of [0, 0.2, 0.2, 7, 100_000]) tally.observe(ms)
  expect(tally.count).toBe(5)
  expect(tally.sumSeconds).toBeCloseTo(100.0074, 9)
  expect(tally.counts[durationBucket(0.2)]).toBe(2)
  expect(tally.counts[DURATION_BOUNDS.length]).toBe(1)
  expect(tally.exemplars).toBeNull()
})

test('DurationTally names the trace that is active where it is recorded', () => {
  const stored = new AsyncLocalStorage<Context>()
  context.setGlobalContextManager({
    active: () => stored.getStore() ?? ROOT_CONTEXT,
    with: (active, run, self, ...parts) => stored.run(active, () => run.call(self as never, ...parts)),
    bind: (_active, target) => target,
    enable() {
      return this
    },
    disable() {
      return this
    },
  })
  onTestFinished(() => context.disable())
  const tally = new DurationTally()
  const observe = (ms: number, traceFlags: TraceFlags): void => {
    const span = { traceId: TRACE_ID, spanId: 'b7ad6b7169203331', traceFlags }
    context.with(trace.setSpanContext(ROOT_CONTEXT, span), () => tally.observe(ms))
  }
  observe(3, TraceFlags.NONE)
  expect(tally.exemplars).toBeNull()
  observe(3, TraceFlags.SAMPLED)
  const exemplar = tally.exemplars?.get(durationBucket(3))
  expect(exemplar).toMatchObject({ traceId: TRACE_ID, seconds: 0.003 })
})

test.each([
  [`00-${TRACE_ID}-b7ad6b7169203331-01`, TRACE_ID],
  [`00-${TRACE_ID}-b7ad6b7169203331-03`, TRACE_ID],
  [`cc-${TRACE_ID}-b7ad6b7169203331-01-more`, TRACE_ID],
  [`00-${TRACE_ID}-b7ad6b7169203331-00`, null],
  [`00-${'0'.repeat(32)}-b7ad6b7169203331-01`, null],
  [`00-${TRACE_ID.toUpperCase()}-b7ad6b7169203331-01`, null],
  ['"} 1\nevil 2', null],
  [undefined, null],
])('recordedTraceOf(%j) is %j', (header, id) => {
  expect(recordedTraceOf(header)).toBe(id)
})

test('ResultTally tells successes from failures, and failures by their code', () => {
  const tally = new ResultTally()
  tally.succeeded(1)
  tally.failed(2, new SockpoolError('WAIT_TIMEOUT', 'none came free'))
  tally.failed(3, new TypeError('of ours'))
  tally.ended(4, 'ok')
  const counts = Array.from(tally, ([result, { count }]) => [result, count])
  expect(counts).toEqual([
    ['ok', 2],
    ['wait_timeout', 1],
    ['internal', 1],
  ])
  expect(tally.countOf('wait_timeout')).toBe(1)
  expect(tally.countOf('connect_refused')).toBe(0)
})
