import { describe, expect, test } from 'vitest'
import { decodeAll } from '../../../src/parse/formats/decode-all.ts'
import { json } from '../../../src/parse/formats/json.ts'
import { JsonScanner } from '../../../src/parse/formats/json-scanner.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'

const parse = (text: string | Uint8Array): unknown[] => decodeAll(decoderOf('json'), Buffer.from(text))

describe('json', () => {
  test.each([
    '{}',
    '[]',
    '{"a":[1,-0,0.5,1e9,-2.5E-3,true,false,null,"x"],"b":{"c":{}}}',
    ' \t\r\n[ 1 , { "a" : [ ] } ]',
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00 é 😀"',
    '12',
    '-0.1e+5',
    'null',
    '""',
    '{"":0,"a":1,"a":2}',
    '{"constructor":1}',
  ])('decodes %s as JSON.parse does', text => {
    expect(parse(text)).toEqual([JSON.parse(text)])
  })

  test('decodes values one after another, and none of white space', () => {
    expect(parse('1 2\n"a""b"[]{} true\n')).toEqual([1, 2, 'a', 'b', [], {}, true])
    expect(parse('12[3]4"5"')).toEqual([12, [3], 4, '5'])
    expect(parse('')).toEqual([])
    expect(parse(' \n\t')).toEqual([])
  })

  test.each([
    ['}', 0],
    ['[1,]', 3],
    ['[1}', 2],
    ['[,1]', 1],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{1:2}', 1],
    ['{"a":}', 5],
    ['[1 2]', 3],
    ['01', 1],
    ['1.', 2],
    ['1.5.2', 3],
    ['-', 1],
    ['-a', 1],
    ['1e', 2],
    ['+1', 0],
    ['.5', 0],
    ['tru', 3],
    ['trua', 3],
    ['NaN', 0],
    ["'a'", 0],
    ['"a\nb"', 2],
    ['"\\x"', 2],
    ['"\\u12g4"', 5],
    ['"abc', 4],
    ['[[1]', 4],
    ['1 2 ]', 4],
    ['\ufeffx', 3],
    ['\ufeff\ufeff1', 3],
    ['1\ufeff2', 1],
    ['\ufeff{"__proto__":1}', 4],
    ['/**/1', 0],
  ])('refuses %j at offset %i', (text, offset) => {
    expect(thrown(() => parse(text))).toMatchObject({ code: 'PARSE_FAILED', offset })
  })

  test('refuses bytes that are not UTF-8 at their offset', () => {
    const bytes = Buffer.concat([
      Buffer.from('1 ["\ufffdé"] ["'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"]'),
    ])
    expect(thrown(() => parse(bytes))).toMatchObject({
      code: 'PARSE_FAILED',
      message: 'the bytes are not valid UTF-8',
      offset: bytes.indexOf(0x28) - 1,
    })
  })

  test.each(['{"a":{"__proto__":{"x":1}}}', '{"constructor":{"prototype":{}}}', '[{"\\u005f_proto__":1}]'])(
    'refuses the poisoned %s',
    text => {
      expect(thrown(() => parse(text))).toMatchObject({
        code: 'PARSE_FAILED',
        message: 'the JSON text holds a forbidden prototype property',
      })
    },
  )

  test('refuses a nesting bomb at the bracket that goes too deep', () => {
    expect(parse('['.repeat(64) + ']'.repeat(64))).toHaveLength(1)
    const error = thrown(() => parse(`${'['.repeat(1_000_000)}`))
    expect(error).toMatchObject({ code: 'PARSE_LIMIT', offset: 64 })
    expect(thrown(() => parse(`${'{"a":'.repeat(65)}`))).toMatchObject({ code: 'PARSE_LIMIT', offset: 320 })
  })

  test('passes over a byte order mark before a text', () => {
    expect(parse('\ufeff{"a":1}')).toEqual([{ a: 1 }])
    expect(parse('\ufeff 12')).toEqual([12])
    expect(parse('\ufeff')).toEqual([])
    expect(thrown(() => parse(Buffer.from([0xef, 0xbb])))).toMatchObject({ code: 'PARSE_FAILED', offset: 2 })
    expect(thrown(() => parse(Buffer.from([0xef, 0xbb, 0x31])))).toMatchObject({ offset: 2 })
  })

  test('keeps large whole numbers as their digits where it is asked to', () => {
    const input = '[9007199254740993,-12345678901234567890,9007199254740991,1e400,0.1234567890123456789]'
    const bigint = (text: string): unknown[] =>
      decodeAll(decoderOf('json', { bigint: 'string' }), Buffer.from(text))
    expect(thrown(() => bigint(input))).toMatchObject({
      code: 'PARSE_FAILED',
      offset: input.indexOf('1e400'),
    })
    const [values] = bigint(input.replace('1e400', '1e300'))
    expect(values).toEqual([
      '9007199254740993',
      '-12345678901234567890',
      9007199254740991,
      1e300,
      0.12345678901234568,
    ])
    expect(bigint(`\ufeff${'9'.repeat(400)}`)).toEqual(['9'.repeat(400)])
    expect(bigint('"é" 9007199254740993 {"é9007199254740993":9007199254740993}')).toEqual([
      'é',
      '9007199254740993',
      { é9007199254740993: '9007199254740993' },
    ])
    expect(parse('9007199254740993')).toEqual([9007199254740992])
  })

  test('refuses equal keys of one object where it is asked to', () => {
    const unique = (text: string): unknown[] =>
      decodeAll(decoderOf('json', { duplicates: 'error' }), Buffer.from(text))
    const fine = '{"a":{"a":[{"a":1},{"a":2}]},"b":"a","A":1} {"a":1}'
    expect(unique(fine)).toEqual(parse(fine))
    for (const [text, offset] of [
      ['{"a":1,"a":1}', 7],
      ['[{"b":{"a":{},"\\u0061":1}}]', 14],
      ['1 {"é":1,"b":{"é":2},"é":3}', 23],
    ] as const)
      expect(thrown(() => unique(text))).toMatchObject({ code: 'PARSE_FAILED', offset })
  })

  test('takes one text alone where it is asked to', () => {
    const one = (text: string): unknown[] => decodeAll(decoderOf('json', { texts: 'one' }), Buffer.from(text))
    expect(one(' [1] \n')).toEqual([[1]])
    expect(one('12')).toEqual([12])
    for (const [text, offset] of [
      ['[][]', 2],
      ['1 2', 2],
      ['', 0],
      [' \n', 2],
      ['\ufeff', 3],
      ['[1', 2],
      ['{}x', 2],
    ] as const)
      expect(thrown(() => one(text))).toMatchObject({ code: 'PARSE_FAILED', offset })
  })

  test('refuses options, naming each', () => {
    expect(thrown(() => json.configure({ reviver: 1, depth: 2 }))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path: 'options.reviver' }, { path: 'options.depth' }],
    })
    for (const [name, value] of Object.entries({ bigint: 'big', duplicates: true, texts: 1 }))
      expect(thrown(() => json.configure({ [name]: value }))).toMatchObject({
        errors: [{ path: `options.${name}` }],
      })
    expect(thrown(() => json.configure('x'))).toMatchObject({ errors: [{ path: 'options' }] })
  })
})

describe('JsonScanner', () => {
  const bounds = { depthMax: 3, elementsMax: 5, stringBytesMax: 4 }

  const push = (...chunks: string[]): number => {
    const scanner = new JsonScanner(bounds)
    return chunks.reduce((found, chunk) => found || scanner.push(Buffer.from(chunk)), 0)
  }

  test('counts values of all kinds', () => {
    expect(push('[1,{"a":2},3]')).toBe(13)
    expect(thrown(() => push('[1,{"a":2},3,4]'))).toMatchObject({ code: 'PARSE_LIMIT', offset: 13 })
  })

  test('bounds strings and keys by their written bytes, before they end', () => {
    expect(push('"abcd"')).toBe(6)
    expect(push('"\\n\\n"')).toBe(6)
    expect(thrown(() => push('"abcde'))).toMatchObject({ code: 'PARSE_LIMIT' })
    expect(thrown(() => push('"ab', 'cd', 'e'))).toMatchObject({ code: 'PARSE_LIMIT', offset: 6 })
    expect(thrown(() => push('{"abcde'))).toMatchObject({ code: 'PARSE_LIMIT' })
    expect(thrown(() => push('"\\u0041'))).toMatchObject({ code: 'PARSE_LIMIT' })
  })

  test('frees the depth of what is closed', () => {
    expect(push('[[[]],[[]]]')).toBe(11)
    expect(thrown(() => push('[[[['))).toMatchObject({ code: 'PARSE_LIMIT', offset: 3 })
  })

  test.each([
    ['', 'none'],
    [' \n', 'none'],
    ['12', 2],
    ['1.5e3', 5],
    ['1.', 'partial'],
    ['-', 'partial'],
    ['"a', 'partial'],
    ['[1', 'partial'],
    ['tru', 'partial'],
  ])('after %j ends with %j', (text, ending) => {
    const scanner = new JsonScanner()
    expect(scanner.push(Buffer.from(text))).toBe(0)
    expect(scanner.finish()).toBe(ending)
  })

  test('tells a wrong byte in a later chunk by its place in the message', () => {
    expect(thrown(() => push('[1', ', ', '}'))).toMatchObject({ code: 'PARSE_FAILED', offset: 4 })
  })
})
