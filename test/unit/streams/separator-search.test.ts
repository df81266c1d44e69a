import { describe, expect, test } from 'vitest'
import { LimitOverrunError, SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { parseSeparators, SeparatorSearch } from '../../../src/streams/reading/separator-search.ts'
import { scan } from '../../fixtures/scan.ts'
import { thrown } from '../../fixtures/thrown.ts'

const search = (separators: unknown, limit = 100): SeparatorSearch =>
  new SeparatorSearch(parseSeparators(separators), limit)

const scanParts = (target: SeparatorSearch, ...parts: string[]): unknown =>
  scan(
    target,
    parts.map(part => Buffer.from(part)),
    parts.join('').length,
  )

describe('SeparatorSearch', () => {
  test('finds a single byte and counts from the start of the read', () => {
    expect(scanParts(search('\n'), 'ab\ncd\n')).toEqual({ start: 2, end: 3 })
  })

  test('lets the smallest end win over the longer or earlier separator', () => {
    expect(scanParts(search(['DEF', 'BCDE']), 'ABCDEFG')).toEqual({ start: 1, end: 5 })
  })

  test('counts the shortest separator on equal ends', () => {
    const error = thrown(() => scanParts(search(['xAA', 'AA'], 2), 'xxxAAyy'))
    expect(error).toMatchObject({ code: 'LIMIT_OVERRUN', consumed: 3 })
    expect(scanParts(search(['xAA', 'AA'], 3), 'xxxAAyy')).toEqual({ start: 3, end: 5 })
  })

  test.each([
    ['1234567\n', '\n', { start: 7, end: 8 }],
    ['1234567', '\n', null],
    ['12345678', '\r\n', null],
  ])('with limit 7 takes %j before %j as %j', (bytes, separator, expected) => {
    expect(scanParts(search(separator, 7), bytes)).toEqual(expected)
  })

  test.each([
    ['12345678\n', '\n', 'Separator is found, but chunk is longer than limit'],
    ['12345678', '\n', 'Separator is not found, and chunk exceed the limit'],
    ['123456789', '\r\n', 'Separator is not found, and chunk exceed the limit'],
  ])('with limit 7 refuses %j before %j with 8 consumed', (bytes, separator, message) => {
    const error = thrown(() => scanParts(search(separator, 7), bytes))
    expect(error).toBeInstanceOf(LimitOverrunError)
    expect(error).toMatchObject({ message, consumed: 8 })
  })

  test('finds a separator cut at every position over two and three views', () => {
    const text = 'xx\r\n\r\nyy'
    for (let first = 0; first <= text.length; first++)
      for (let second = first; second <= text.length; second++) {
        const views = [text.slice(0, first), text.slice(first, second), text.slice(second)]
        expect(scanParts(search('\r\n\r\n'), ...views)).toEqual({ start: 2, end: 6 })
      }
  })

  test('goes on where it left off', () => {
    const target = search('\r\n')
    expect(scanParts(target, 'ab\r')).toBeNull()
    // The old bytes are shown again but must not be looked at again.
    expect(scanParts(target, '\r\n\r', '\ncd')).toEqual({ start: 2, end: 4 })
  })

  test('does not take a separator that lies beyond the available bytes', () => {
    expect(scan(search('\n'), [Buffer.from('ab\n')], 2)).toBeNull()
    expect(scan(search('b\n'), [Buffer.from('ab\n')], 2)).toBeNull()
  })

  test('restart forgets what it has seen', () => {
    const target = search('ab')
    expect(scanParts(target, 'xxa')).toBeNull()
    target.restart()
    expect(scanParts(target, 'b')).toBeNull()
    expect(scanParts(target, 'bxab')).toEqual({ start: 2, end: 4 })
  })

  test('works on shared memory and on views with an offset', () => {
    const memory = new Uint8Array(new SharedArrayBuffer(8), 2, 4)
    memory.set(Buffer.from('a\r\nb'))
    expect(scan(search('\r\n'), [memory], 4)).toEqual({ start: 1, end: 3 })
    expect(scan(search('\n'), [memory], 4)).toEqual({ start: 2, end: 3 })
  })
})

describe('parseSeparators', () => {
  test('takes a string as UTF-8, bytes, and arrays of both', () => {
    expect(parseSeparators('é').map(bytes => [...bytes])).toEqual([[0xc3, 0xa9]])
    expect(parseSeparators(new Uint8Array([1, 2]).subarray(1)).map(bytes => [...bytes])).toEqual([[2]])
    expect(parseSeparators(['a', Buffer.from('b')])).toHaveLength(2)
  })

  test('copies the bytes of the caller', () => {
    const own = new Uint8Array([10])
    const [copy] = parseSeparators(own)
    own[0] = 11
    expect(copy?.[0]).toBe(10)
  })

  test.each([
    ['a set', new Set(['\n'])],
    ['a generator', [].values()],
    ['a nested array', [['\n']]],
    ['an array of numbers', [10]],
    ['a hole', new Array(1)],
    ['nothing', undefined],
    ['a DataView', new DataView(new ArrayBuffer(1))],
  ])('refuses %s with a TypeError', (_, input) => {
    expect(() => parseSeparators(input)).toThrow(TypeError)
  })

  test.each([
    [[], 'Separator should contain at least one element'],
    ['', 'Separator should be at least one-byte string'],
    [['a', ''], 'Separator should be at least one-byte string'],
    ['\ud800', 'Separator should be a well-formed string'],
    ['x'.repeat(LIMITS.separatorBytesMax + 1), 'Separator should be at most 64 bytes'],
    [new Array(LIMITS.separatorsMax + 1).fill('x'), 'Separator should contain at most 16 elements'],
  ])('refuses %j as INVALID_SEPARATOR', (input, message) => {
    const error = thrown(() => parseSeparators(input))
    expect(error).toBeInstanceOf(SockpoolError)
    expect(error).toMatchObject({ code: 'INVALID_SEPARATOR', message })
  })
})
