import RedisParser from 'redis-parser'
import { describe, expect, test } from 'vitest'
import { decodeAll, writeAll } from '../../../src/parse/formats/decode-all.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'
import { expectSamePieces } from '../../support/parse-pieces.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const parse = (text: string, options = {}): unknown[] => decodeAll(decoderOf('resp', options), bytesOf(text))
const textOf = (text: string, options = {}): string =>
  Buffer.from(
    writeAll(decoderOf('resp', options), bytesOf(text), { before: '', between: ',', end: '', after: '' }),
  ).toString()

/** Answers of either version, and their values. */
const ANSWERS: readonly (readonly [bytes: string, value: unknown])[] = [
  ['+OK\r\n', 'OK'],
  ['+\r\n', ''],
  ['-ERR no such thing\r\n', { error: 'ERR no such thing' }],
  [':0\r\n', 0],
  [':-42\r\n', -42],
  [':+7\r\n', 7],
  [':-0\r\n', 0],
  [':9007199254740991\r\n', 9_007_199_254_740_991],
  [':9007199254740992\r\n', '9007199254740992'],
  [':-9223372036854775808\r\n', '-9223372036854775808'],
  ['$5\r\nhello\r\n', 'hello'],
  ['$0\r\n\r\n', ''],
  ['$4\r\n\r\n\r\n\r\n', '\r\n\r\n'],
  ['$-1\r\n', null],
  ['$2\r\n\xff\x00\r\n', { base64: '/wA=' }],
  ['$4\r\n\xf0\x9f\x98\x80\r\n', '😀'],
  ['*0\r\n', []],
  ['*-1\r\n', null],
  ['*3\r\n:1\r\n$-1\r\n*2\r\n+a\r\n-ERR b\r\n', [1, null, ['a', { error: 'ERR b' }]]],
  ['_\r\n', null],
  ['#t\r\n', true],
  ['#f\r\n', false],
  [',1.5\r\n', 1.5],
  [',-2e3\r\n', -2_000],
  [',inf\r\n', Number.POSITIVE_INFINITY],
  [',-inf\r\n', Number.NEGATIVE_INFINITY],
  [',nan\r\n', Number.NaN],
  ['(3492890328409238509324850943850943825024385\r\n', '3492890328409238509324850943850943825024385'],
  ['(+0012\r\n', 12],
  ['(-0099999999999999999999\r\n', '-99999999999999999999'],
  ['!21\r\nSYNTAX invalid syntax\r\n', { error: 'SYNTAX invalid syntax' }],
  ['=15\r\ntxt:Some string\r\n', 'Some string'],
  ['=4\r\nmkd:\r\n', ''],
  ['%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n#t\r\n', { a: 1, b: [true] }],
  ['%0\r\n', {}],
  [
    '%2\r\n:1\r\n+a\r\n+b\r\n_\r\n',
    [
      [1, 'a'],
      ['b', null],
    ],
  ],
  [
    '%2\r\n+a\r\n:1\r\n+a\r\n:2\r\n',
    [
      ['a', 1],
      ['a', 2],
    ],
  ],
  ['~2\r\n+x\r\n+y\r\n', ['x', 'y']],
  ['>2\r\n+message\r\n$2\r\nhi\r\n', { push: ['message', 'hi'] }],
  ['|1\r\n+ttl\r\n:10\r\n$1\r\na\r\n', 'a'],
  ['*2\r\n|1\r\n+x\r\n:1\r\n:5\r\n:6\r\n', [5, 6]],
  ['|1\r\n+a\r\n:1\r\n>1\r\n+p\r\n', { push: ['p'] }],
  ['$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n', 'Hello'],
  ['$?\r\n;0\r\n', ''],
  ['*?\r\n:1\r\n*?\r\n.\r\n:2\r\n.\r\n', [1, [], 2]],
  ['%?\r\n+a\r\n:1\r\n.\r\n', { a: 1 }],
  ['~?\r\n.\r\n', []],
]

describe('resp', () => {
  test.each(ANSWERS)('reads %j', (bytes, value) => {
    expect(parse(bytes)).toEqual([value])
    expect(parse(`${bytes}+next\r\n`)).toEqual([value, 'next'])
  })

  test('reads the same however the bytes are cut', () => {
    const decoder = decoderOf('resp')
    for (const [bytes] of ANSWERS) expectSamePieces(decoder, bytesOf(`${bytes}:1\r\n`))
    const { values } = expectSamePieces(decoder, bytesOf(ANSWERS.map(([bytes]) => bytes).join('')))
    expect(values).toEqual(ANSWERS.map(([, value]) => value))
  })

  test('reads RESP2 as redis-parser does', () => {
    const answers: unknown[] = []
    const parser = new RedisParser({
      returnReply: reply => answers.push(reply),
      returnError: error => answers.push({ error: error.message }),
    })
    // It takes a sign for a digit, and its sums of large numbers are not the nearest doubles.
    const resp2 = ANSWERS.filter(([bytes]) => /^[+\-:$*]/.test(bytes) && !/\?|\xff|\||:\+|:-9/.test(bytes))
    expect(resp2.length).toBeGreaterThan(14)
    for (const [bytes] of resp2) parser.execute(bytesOf(bytes))
    // What it knows no better: errors are Errors, and large numbers are rounded.
    const plain = (value: unknown): unknown => {
      if (value instanceof Error) return { error: value.message }
      return Array.isArray(value) ? value.map(plain) : value
    }
    const rounded = parse(resp2.map(([bytes]) => bytes).join(''), { bigint: 'number' })
    expect(rounded).toEqual(answers.map(plain).map(value => (Object.is(value, -0) ? 0 : value)))
  })

  test.each([
    ['utf8', 'a', { base64: '/w==' }],
    ['base64', 'YQ==', '/w=='],
    ['hex', '61', 'ff'],
    ['bytes', new Uint8Array([0x61]), new Uint8Array([0xff])],
  ])('gives strings as encoding %s says, errors as text', (encoding, a, ff) => {
    expect(parse('*4\r\n+a\r\n$1\r\n\xff\r\n=5\r\ntxt:a\r\n-no\r\n', { encoding })).toEqual([
      [a, ff, a, { error: 'no' }],
    ])
  })

  test('gives large numbers as bigint says', () => {
    const large = ':9007199254740993\r\n'
    expect(parse(large, { bigint: 'string' })).toEqual(['9007199254740993'])
    expect(parse(large, { bigint: 'number' })).toEqual([9_007_199_254_740_992])
    expect(parse(large, { bigint: 'bigint' })).toEqual([9_007_199_254_740_993n])
    expect(parse(':5\r\n', { bigint: 'bigint' })).toEqual([5])
    expect(textOf(large, { bigint: 'bigint' })).toBe('"9007199254740993"')
  })

  test('gives attributes where they are asked for', () => {
    const bytes = '*2\r\n|1\r\n+ttl\r\n:3600\r\n:1\r\n|0\r\n:2\r\n'
    expect(parse(bytes, { attributes: true })).toEqual([[{ attributes: { ttl: 3600 }, value: 1 }, 2]])
    expect(parse('|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n_\r\n', { attributes: true })).toEqual([
      { attributes: { a: 1, b: 2 }, value: null },
    ])
  })

  test('writes what JSON has no number for as text', () => {
    expect(textOf('*3\r\n,inf\r\n,-inf\r\n,nan\r\n')).toBe('["Infinity","-Infinity","NaN"]')
    expect(textOf('$1\r\n\xff\r\n', { encoding: 'bytes' })).toBe('"/w=="')
  })

  test.each([
    ['%1\r\n$9\r\n__proto__\r\n*0\r\n', 0],
    ['*2\r\n:1\r\n%1\r\n+__proto__\r\n:1\r\n', 8],
    ['%1\r\n+constructor\r\n%1\r\n+prototype\r\n:1\r\n', 0],
    [',1e400\r\n', 0],
  ])('refuses %j', (bytes, offset) => {
    expect(thrown(() => parse(bytes))).toMatchObject({ code: 'PARSE_FAILED', offset })
    expect(thrown(() => parse(`:1\r\n${bytes}`))).toMatchObject({ code: 'PARSE_FAILED', offset: 4 + offset })
  })

  test.each([
    ['$2147483648\r\na', 'PARSE_FAILED'],
    ['$99999999999999999999\r\n', 'PARSE_FAILED'],
    ['$16777216\r\n', 'PARSE_LIMIT'],
    ['*2147483648\r\n', 'PARSE_LIMIT'],
    ['%1073741824\r\n', 'PARSE_LIMIT'],
    ['$-2\r\n', 'PARSE_FAILED'],
    ['*-5\r\n', 'PARSE_FAILED'],
    ['$3\r\nabcd\r\n', 'PARSE_FAILED'],
    ['$5\r\nab', 'PARSE_FAILED'],
    ['*2\r\n:1\r\n', 'PARSE_FAILED'],
    [`+${'x'.repeat(70_000)}\r\n`, 'PARSE_FAILED'],
    ['*1\r\n'.repeat(100_000), 'PARSE_FAILED'],
    ['GET / HTTP/1.1\r\n', 'PARSE_FAILED'],
  ])('refuses %.20j before it takes memory', (bytes, code) => {
    expect(thrown(() => parse(bytes))).toMatchObject({ code, offset: expect.any(Number) })
  })

  test('refuses a value of more parts than the bound, and reads one of as many', () => {
    expect(thrown(() => parse(`*1000000\r\n${'_\r\n'.repeat(1_000_000)}`))).toMatchObject({
      code: 'PARSE_LIMIT',
      offset: 3_000_007,
    })
    const [most] = parse(`*999999\r\n${'_\r\n'.repeat(999_999)}`)
    expect(most).toHaveLength(999_999)
    const attributes = `|400000\r\n${'_\r\n_\r\n'.repeat(400_000)}:1\r\n`
    expect(parse(attributes)).toEqual([1])
  })

  test.each([
    [{ encoding: 'latin1' }, 'options.encoding'],
    [{ bigint: 'text' }, 'options.bigint'],
    [{ attributes: 'yes' }, 'options.attributes'],
    [{ other: 1 }, 'options.other'],
  ])('refuses the options %j', (options, path) => {
    expect(thrown(() => findFormat('resp').configure(options))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path }],
    })
  })
})
