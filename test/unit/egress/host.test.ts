import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { parseHost, parsePort } from '../../../src/egress/host.ts'

function caught(run: () => unknown): SockpoolError {
  try {
    run()
  } catch (error) {
    if (error instanceof SockpoolError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parseHost', () => {
  test.each([
    ['example.com', 'example.com'],
    ['Example.COM.', 'example.com'],
    ['abc.de', 'abc.de'],
    ['localhost', 'localhost'],
    ['_srv._tcp.example.com', '_srv._tcp.example.com'],
    ['xn--mnchen-3ya.example', 'xn--mnchen-3ya.example'],
    ['1.2.3.4.example', '1.2.3.4.example'],
    ['0x7f.example', '0x7f.example'],
  ])('parseHost takes %s as the name %s', (text, name) => {
    expect(parseHost(text)).toEqual({ kind: 'name', name })
  })

  test.each(['8.8.8.8', '::1', '::ffff:10.0.0.1', '2606:4700::1'])(
    'parseHost takes %s as an address',
    text => {
      expect(parseHost(text)).toMatchObject({ kind: 'address' })
    },
  )

  test('parseHost takes a name of 253 characters with a dot after it, and none longer', () => {
    const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`
    expect(parseHost(`${name}.`)).toEqual({ kind: 'name', name })
    expect(() => parseHost(`${name}e`)).toThrow('too long')
    expect(() => parseHost(`${name}e.`)).toThrow('too long')
  })

  test.each([
    [undefined, /a string/],
    [['127.0.0.1'], /a string/],
    [{ toString: (): string => '8.8.8.8' }, /a string/],
    ['', /empty/],
    ['127.0.0.1\0.example.com', /ASCII/],
    ['example.com:443', /ASCII/],
    ['127.0.0.1.', /neither/],
    ['0x7f000001', /neither/],
    ['example.-com', /neither/],
    ['a..b', /labels/],
    ['.', /labels/],
    [`${'a'.repeat(64)}.com`, /labels/],
  ])('parseHost refuses %j', (host, message) => {
    const error = caught(() => parseHost(host))
    expect(error.code).toBe('INVALID_REQUEST')
    expect(error.errors?.[0]?.path).toBe('host')
    expect(error.errors?.[0]?.message).toMatch(message)
  })

  test('parseHost does not repeat what it refuses', () => {
    expect(caught(() => parseHost('evil\r\nheader')).message).not.toContain('evil')
  })
})

describe('parsePort', () => {
  test.each([1, 443, 65_535])('parsePort takes %d', port => {
    expect(parsePort(port)).toBe(port)
  })

  test.each([
    0,
    -1,
    65_536,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '443',
    '0x1',
    null,
    undefined,
    [443],
    true,
    1n,
  ])('parsePort refuses %s', port => {
    const error = caught(() => parsePort(port))
    expect(error.code).toBe('INVALID_REQUEST')
    expect(error.errors?.[0]?.path).toBe('port')
  })
})
