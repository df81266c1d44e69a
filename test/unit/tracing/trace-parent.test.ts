/** `traceparent` and `tracestate` as W3C Trace Context has them. */
import { describe, expect, test } from 'vitest'
import { headersOf, remoteSpanOf, traceIdsOf } from '../../../src/tracing/trace-parent.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const IDS = { traceId: TRACE, spanId: SPAN }

describe('traceIdsOf', () => {
  test.for([`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-00`, `cc-${TRACE}-${SPAN}-01-what-is-more`])(
    'reads %s',
    text => {
      expect(traceIdsOf(text)).toEqual(IDS)
    },
  )

  test.for([
    undefined,
    '',
    '00-zz-zz-zz',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    [`00-${TRACE}-${SPAN}-01`],
  ])('takes %s for none', text => {
    expect(traceIdsOf(text)).toBeNull()
  })
})

describe('remoteSpanOf', () => {
  test('has the flags, and the state as it was', () => {
    const remote = remoteSpanOf({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1,b@c=2' })
    expect(remote).toMatchObject({ ...IDS, traceFlags: 1, isRemote: true })
    expect(remote && headersOf(remote)).toEqual({
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: 'a=1,b@c=2',
    })
  })

  test.for(['x'.repeat(600), '=,=,;', '', '\u0000=\u0001'])(
    'goes without a state that is none: %s',
    tracestate => {
      const remote = remoteSpanOf({ traceparent: `00-${TRACE}-${SPAN}-00`, tracestate })
      expect(remote && headersOf(remote)).toEqual({ traceparent: `00-${TRACE}-${SPAN}-00` })
    },
  )
})
