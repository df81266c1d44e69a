import { describe, expect, it } from 'vitest'
import { parseReadSpec, readSpecJson } from '../../../src/command/read-spec.ts'

describe('parseReadSpec', () => {
  it.each([
    ['line', { line: true }],
    ['eof', { eof: true }],
    ['none', { none: true }],
    ['frame', { frame: true }],
    ['frame:resp', { frame: 'resp' }],
    ['exactly:5', { exactly: 5 }],
    ['until::', { until: [Buffer.from(':')] }],
    ['until:\\r\\n\\r\\n', { until: [Buffer.from('\r\n\r\n')] }],
    ['until:\\x00\\xFF\\\\é', { until: [Buffer.from([0, 0xff, 0x5c, 0xc3, 0xa9])] }],
    ['until:\\q', { until: [Buffer.from('\\q')] }],
  ])('reads %s', (text, spec) => {
    expect(parseReadSpec(text)).toEqual(spec)
  })

  it.each(['', 'lines', 'line:', 'until', 'until:', 'exactly:', 'exactly:-1', 'exactly:1.5', 'eof:1'])(
    'refuses %j as a usage error',
    text => {
      expect(() => parseReadSpec(text)).toThrow(expect.objectContaining({ exitCode: 2 }))
    },
  )
})

describe('readSpecJson', () => {
  it.each([
    ['line', { line: true }],
    ['none', 'none'],
    ['frame', 'frame'],
    ['frame:resp', { frame: 'resp' }],
    ['until:\\r\\n', { until: ['\r\n'] }],
    ['exactly:5', { exactly: 5 }],
  ])('gives %s the form of the HTTP API', (text, json) => {
    expect(readSpecJson(parseReadSpec(text))).toEqual(json)
  })

  it('refuses a separator that JSON cannot carry', () => {
    expect(() => readSpecJson(parseReadSpec('until:\\xff'))).toThrow(expect.objectContaining({ exitCode: 2 }))
  })
})
