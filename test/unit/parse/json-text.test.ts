/** JSON values as text: what is kept of what their sender wrote, and what is refused in text and values alike. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeAll, writeAll } from '../../../src/parse/formats/decode-all.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'

const WRAP = { before: '<', between: '|', end: ';', after: '>' }

const written = (text: string | Uint8Array, format = 'json'): string =>
  Buffer.from(writeAll(decoderOf(format), Buffer.from(text), WRAP)).toString()

const decoded = (text: string | Uint8Array, format = 'json'): unknown[] =>
  decodeAll(decoderOf(format), Buffer.from(text))

describe('the text of a JSON value', () => {
  test.each([
    '[1e400]',
    '[-1e400]',
    '12345678901234567890',
    '[9007199254740993]',
    '0.1000000000000000055511151231257827',
    '[-0,-0.0,0.0,1E5,1e-400,1.0]',
    '{"a":1,"a":2}',
    '{"b":1,"a":2,"1":3}',
    '"\\ud800"',
    '["\\u0041\\/\\u00e9"]',
    '"é 😀"',
    `${'['.repeat(64)}${']'.repeat(64)}`,
  ])('is what was written: %s', text => {
    expect(written(text)).toBe(`<${text};>`)
    expect(written(`${text}\n`, 'ndjson')).toBe(`<${text};>`)
  })

  test('is without the white space between its tokens, and has that within strings', () => {
    const text = ' {\r\n\t"a b" : [ 1 , "x \\" y" , { } ] ,\n"c" : null } \n [ ]'
    expect(written(text)).toBe('<{"a b":[1,"x \\" y",{}],"c":null};|[];>')
    expect(written('\n\n [1, 2]\t\r\n{ }', 'ndjson')).toBe('<[1,2];|{};>')
  })

  test('has no byte order mark, quotes large whole numbers and refuses equal keys where it is asked to', () => {
    const asked = (text: string, options: object, format = 'json'): string =>
      Buffer.from(writeAll(decoderOf(format, options), Buffer.from(text), WRAP)).toString()
    expect(written('\ufeff [ 1 ]')).toBe('<[1];>')
    const numbers = ' [9007199254740993, -12345678901234567890 , 1e400,9007199254740991, "9007199254740993"]'
    const quoted = '<["9007199254740993","-12345678901234567890",1e400,9007199254740991,"9007199254740993"];>'
    for (const format of ['json', 'ndjson']) {
      expect(asked(numbers, { bigint: 'string' }, format)).toBe(quoted)
      expect(thrown(() => asked('{"a":1, "a":2}', { duplicates: 'error' }, format))).toMatchObject({
        code: 'PARSE_FAILED',
        offset: 8,
      })
    }
    expect(asked('9007199254740993', { bigint: 'string', texts: 'one' })).toBe('<"9007199254740993";>')
  })

  test('is of an input without a value what stands around the values', () => {
    expect(written(' \n')).toBe('<>')
    expect(written('', 'lines')).toBe('<>')
  })

  test('means the value that JSON.parse makes, of any value', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 1, '\t'), (text, indent) => {
        const value: unknown = JSON.parse(text)
        const spaced = JSON.stringify(value, null, indent)
        if (text.includes('__proto__') || text.includes('constructor')) return
        expect(written(spaced)).toBe(`<${JSON.stringify(value)};>`)
      }),
    )
  })

  test('has as many values as its bytes hold, which a value has not', () => {
    const text = `[${'{},'.repeat(1_000_000)}{}]`
    expect(written(text)).toHaveLength(text.length + 3)
    expect(thrown(() => decoded(text))).toMatchObject({ code: 'PARSE_LIMIT' })
  })
})

test('a line is written as a JSON string', () => {
  expect(written('a "b"\r\n\t\u2028\nlast', 'lines')).toBe('<"a \\"b\\"";|"\\t\u2028";|"last";>')
})

describe('text and value alike', () => {
  const both = (text: string | Uint8Array, format?: string): readonly unknown[] => [
    thrown(() => written(text, format)),
    thrown(() => decoded(text, format)),
  ]

  test.each([
    ['{"a":{"__proto__":{"x":1}}}', 6],
    ['[{"\\u005f_proto__":1}]', 2],
    ['{"constructor":{"prototype":{}}}', 16],
    ['{"constructor" : {"x":[],"prototype":1}}', 25],
    ['{"c\\u006fnstructor":{"a":{"constructor":1},"prot\\u006ftype":2}}', 43],
  ])('refuse the key of %s', (text, offset) => {
    for (const error of both(text)) expect(error).toMatchObject({ code: 'PARSE_FAILED', offset })
    for (const error of both(`1\n${text}`, 'ndjson'))
      expect(error).toMatchObject({ code: 'PARSE_FAILED', offset: offset + 2 })
  })

  test.each([
    '{"prototype":1,"constructor":{"a":{"prototype":1}}}',
    '{"constructor":[{"prototype":1}]}',
    '{"constructor":1,"a":{"prototype":1}}',
    '["__proto__",{"a":"__proto__","proto":"prototype"}]',
  ])('let pass %s', text => {
    expect(written(text)).toBe(`<${text};>`)
    expect(decoded(text)).toEqual([JSON.parse(text)])
  })

  test('refuse bytes that are no UTF-8, no grammar, and too deep a nesting at the same place', () => {
    for (const error of both(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])))
      expect(error).toMatchObject({ code: 'PARSE_FAILED', offset: 2 })
    for (const error of both('[1,]')) expect(error).toMatchObject({ code: 'PARSE_FAILED', offset: 3 })
    for (const error of both('['.repeat(65))) expect(error).toMatchObject({ code: 'PARSE_LIMIT', offset: 64 })
  })
})

describe('a number as a value', () => {
  test.each([
    ['[1e400]', 1],
    ['{"a":[1,-1e999]}', 8],
    [`[${'9'.repeat(400)}]`, 1],
    ['2\n1e400', 2],
  ])('is refused where it would become Infinity: %s', (text, offset) => {
    expect(thrown(() => decoded(text))).toMatchObject({
      code: 'PARSE_FAILED',
      message: 'a number in the JSON text is larger than any double',
      offset,
    })
  })

  test('is the nearest double otherwise, as JSON.parse makes it', () => {
    const text =
      '[12345678901234567890,0.1000000000000000055511151231257827,-0,1e-400,1.7976931348623157e308]'
    expect(decoded(text)).toEqual([JSON.parse(text)])
  })
})
