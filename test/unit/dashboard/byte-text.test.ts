import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  base64OfBytes,
  bytesOfBase64,
  bytesOfHex,
  bytesOfText,
  firstBytes,
  hexOfBytes,
  textOfBytes,
} from '../../../src/dashboard/parts/byte-text.ts'

const bytes = (...values: number[]) => ({ kind: 'bytes', bytes: Uint8Array.from(values) })

describe('bytesOfText', () => {
  test.each([
    ['PING\\r\\n', bytes(0x50, 0x49, 0x4e, 0x47, 13, 10)],
    ['\\t\\0\\\\', bytes(9, 0, 92)],
    ['\\xfF\\x0a1', bytes(0xff, 10, 0x31)],
    ['é\n', bytes(0xc3, 0xa9, 10)],
    ['', bytes()],
  ])('reads %j', (text, expected) => {
    expect(bytesOfText(text)).toEqual(expected)
  })

  test.each(['\\q', 'a\\', '\\x4', '\\xzz'])('says what is wrong with %j', text => {
    expect(bytesOfText(text)).toMatchObject({ kind: 'fault', message: expect.stringMatching(/escape/) })
  })
})

describe('bytesOfHex', () => {
  test.each(['0d0a', '0D 0A', '0x0d,0x0a', '0d:0a\n'])('reads %j', text => {
    expect(bytesOfHex(text)).toEqual(bytes(13, 10))
  })

  test.each(['0', '0d 0', 'no'])('says what is wrong with %j', text => {
    expect(bytesOfHex(text).kind).toBe('fault')
  })
})

describe('textOfBytes', () => {
  test.each([
    [[0x68, 0xc3, 0xa9, 13, 10], 'hé\\r\\n\n'],
    [[0, 0xff, 0x41], '\\x00\\xffA'],
    [[0x5c, 9, 0x7f], '\\\\\\t\\x7f'],
    [[0xc2, 0x85], '\\u0085'],
    // What is not to be seen, turns the direction, or ends a line.
    [[0x41, 0xe2, 0x80, 0xae, 0x42], 'A\\u{202e}B'],
    [[0xe2, 0x80, 0x8b, 0xef, 0xbb, 0xbf, 0xc2, 0xad], '\\u{200b}\\u{feff}\\u{ad}'],
    [[0xe2, 0x80, 0xa8, 0xe2, 0x80, 0xa9], '\\u{2028}\\u{2029}'],
    [[0xf3, 0xa0, 0x81, 0x81, 0xf0, 0x9f, 0x98, 0x80], '\\u{e0041}😀'],
  ])('shows %j so that each byte is to be seen', (values, expected) => {
    expect(textOfBytes(Uint8Array.from(values))).toBe(expected)
  })
})

describe('firstBytes', () => {
  const four = Buffer.from('ab😀cd')

  test.each([
    [4, 'ab'],
    [5, 'ab'],
    [6, 'ab😀'],
    [8, 'ab😀cd'],
    [99, 'ab😀cd'],
  ])('gives at most %i, and cuts no character', (max, text) => {
    expect(Buffer.from(firstBytes(four, max)).toString()).toBe(text)
  })

  test('cuts where it is told to what is no text', () => {
    expect(
      firstBytes(
        Uint8Array.from({ length: 9 }, () => 0x80),
        5,
      ),
    ).toHaveLength(5)
  })
})

test('hexOfBytes gives rows of sixteen with their offset and what prints', () => {
  const rows = hexOfBytes(Uint8Array.from({ length: 18 }, (_, at) => 0x40 + at)).split('\n')
  expect(rows).toEqual([
    '000000  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO',
    `000010  50 51${' '.repeat(18)}  ${' '.repeat(23)}  PQ`,
  ])
})

test('base64 gives back any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), value => {
      expect(bytesOfBase64(base64OfBytes(value))).toEqual(Uint8Array.from(value))
      expect(base64OfBytes(value)).toBe(Buffer.from(value).toString('base64'))
    }),
  )
})
