import { describe, expect, test } from 'vitest'
import { parseListenRule } from '../../../src/config/listen-rule.ts'
import { ListenRules } from '../../../src/egress/listen-rules.ts'

function rules(...texts: string[]): ListenRules {
  return new ListenRules(
    texts.map(text => {
      const rule = parseListenRule(text)
      if (rule === null) throw new Error(`${text} is no rule`)
      return rule
    }),
  )
}

describe('parseListenRule', () => {
  test.each([
    ['127.0.0.1:0', '127.0.0.1', 0, 0],
    ['127.0.0.1:8080', '127.0.0.1', 8080, 8080],
    ['[::1]:8000-8999', '::1', 8000, 8999],
    ['sockpool.internal:*', 'sockpool.internal', 0, 65_535],
  ])('reads %s', (text, host, firstPort, lastPort) => {
    expect(parseListenRule(text)).toEqual({ host, firstPort, lastPort })
  })

  test.each([
    '127.0.0.1',
    '127.0.0.1:',
    ':0',
    '*:0',
    '::1:0',
    '127.0.0.1:65536',
    '127.0.0.1:0-9',
    '127.0.0.1:9-8',
    '127.0.0.1:1-',
    '10.0.0.0/8:1',
    'unix:/run/x.sock',
    5,
    null,
  ])('refuses %j', value => {
    expect(parseListenRule(value)).toBeNull()
  })
})

describe('ListenRules', () => {
  test('admit nothing by default', () => {
    expect(rules().admits({ host: '127.0.0.1', port: 0 })).toBeNull()
  })

  test.each([
    ['127.0.0.1:0', '127.0.0.1', 0, true],
    ['127.0.0.1:0', '127.0.0.1', 1, false],
    ['127.0.0.1:0', '127.0.0.2', 0, false],
    ['127.0.0.1:0', '0.0.0.0', 0, false],
    ['0.0.0.0:0', '127.0.0.1', 0, false],
    ['127.0.0.1:8000-8002', '127.0.0.1', 8002, true],
    ['127.0.0.1:8000-8002', '127.0.0.1', 8003, false],
    ['127.0.0.1:8000-8002', '127.0.0.1', 0, false],
    ['127.0.0.1:*', '127.0.0.1', 0, true],
    ['127.0.0.1:*', '127.0.0.1', 65_535, true],
    ['[::1]:0', '0:0:0:0:0:0:0:1', 0, true],
    ['127.0.0.1:0', '::ffff:127.0.0.1', 0, true],
    ['[fe80::1%eth0]:0', 'fe80::1%eth0', 0, true],
    ['[fe80::1%eth0]:0', 'fe80::1%eth1', 0, false],
    ['[fe80::1%eth0]:0', 'fe80::1', 0, false],
    ['here.internal:0', 'HERE.internal.', 0, true],
    ['here.internal:0', 'x.here.internal', 0, false],
    ['127.0.0.1:0', 'localhost', 0, false],
  ])('of %s: %s:%i is admitted: %s', (rule, host, port, isAdmitted) => {
    expect(rules(rule).admits({ host, port }) !== null).toBe(isAdmitted)
  })

  test('give the one spelling of what they admit', () => {
    expect(rules('127.0.0.1:0').admits({ host: '::ffff:127.0.0.1', port: 0 })).toEqual({
      host: '127.0.0.1',
      port: 0,
    })
  })

  test('refuse what can be no host, of a caller and of an operator', () => {
    expect(() => rules('127.0.0.1:0').admits({ host: '127.1', port: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    )
    expect(() => rules('127.0.0.1:0', '127.1:0')).toThrow(
      expect.objectContaining({ errors: [{ path: 'ingress.listen.1', message: expect.any(String) }] }),
    )
  })
})
