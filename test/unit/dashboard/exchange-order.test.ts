import { describe, expect, test } from 'vitest'
import { type ExchangeForm, orderOfForm } from '../../../src/dashboard/views/exchange-order.ts'

const form: ExchangeForm = {
  target: 'cache',
  encoding: 'text',
  written: 'a\\n',
  read: 'message',
  detail: '',
  timeoutMs: '5000',
}
const write = { base64: 'YQo=' }

describe('orderOfForm', () => {
  test.each<[Partial<ExchangeForm>, object]>([
    [{}, { target: 'cache', write, timeoutMs: 5_000 }],
    [
      { encoding: 'hex', written: '61 0a' },
      { target: 'cache', write, timeoutMs: 5_000 },
    ],
    [{ read: 'line' }, { target: 'cache', write, timeoutMs: 5_000, read: { line: true } }],
    [
      { read: 'until', detail: '\\xff' },
      { target: 'cache', write, timeoutMs: 5_000, read: { until: ['/w=='] }, separatorEncoding: 'base64' },
    ],
    [
      { read: 'exactly', detail: ' 4 ' },
      { target: 'cache', write, timeoutMs: 5_000, read: { exactly: 4 } },
    ],
    [
      { read: 'frame', detail: 'resp' },
      { target: 'cache', write, timeoutMs: 5_000, read: { frame: 'resp' } },
    ],
    [{ target: '10.0.0.1:70' }, { target: { host: '10.0.0.1', port: 70 }, write, timeoutMs: 5_000 }],
    [{ target: '[::1]:70' }, { target: { host: '::1', port: 70 }, write, timeoutMs: 5_000 }],
    [{ target: 'odd:1' }, { target: 'odd:1', write, timeoutMs: 5_000 }],
  ])('makes an order of %j', (changed, body) => {
    expect(orderOfForm({ ...form, ...changed }, ['cache', 'odd:1'])).toEqual({ kind: 'order', body })
  })

  test.each<[Partial<ExchangeForm>, string]>([
    [{ target: ' ' }, 'target'],
    [{ written: '\\q' }, 'written'],
    [{ encoding: 'hex', written: '1' }, 'written'],
    [{ read: 'until', detail: '' }, 'detail'],
    [{ read: 'exactly', detail: '-1' }, 'detail'],
    [{ read: 'frame', detail: ' ' }, 'detail'],
    [{ timeoutMs: '0' }, 'timeoutMs'],
    [{ timeoutMs: '1.5' }, 'timeoutMs'],
  ])('finds the fault of %j', (changed, field) => {
    const order = orderOfForm({ ...form, ...changed }, ['cache'])
    expect(order.kind === 'faults' ? Object.keys(order.faults) : []).toEqual([field])
  })
})
