import { describe, expect, test } from 'vitest'
import { decodeAll } from '../../../src/parse/formats/decode-all.ts'
import { FORMAT_NAMES, findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'

describe('lines', () => {
  const parse = (text: string | Uint8Array): unknown[] =>
    decodeAll(decoderOf('lines', null), Buffer.from(text))

  test.each([
    ['', []],
    ['\n', ['']],
    ['a\nb\n', ['a', 'b']],
    ['a\r\nb', ['a', 'b']],
    ['a\r\r\n', ['a\r']],
    ['a\rb\n\r\n', ['a\rb', '']],
    ['a\r', ['a\r']],
    ['\ufeffé\n😀', ['\ufeffé', '😀']],
  ])('cuts %j into %j', (text, expected) => {
    expect(parse(text)).toEqual(expected)
  })

  test('refuses bytes that are not UTF-8 at their offset in the input', () => {
    const bytes = Buffer.concat([Buffer.from('ok\né'), Buffer.from([0xff]), Buffer.from('\n')])
    expect(thrown(() => parse(bytes))).toMatchObject({ code: 'PARSE_FAILED', offset: 5 })
    expect(thrown(() => parse(Buffer.from('a\n\xe9', 'latin1')))).toMatchObject({ offset: 2 })
  })

  test('refuses more values than the bound', () => {
    expect(thrown(() => parse('\n'.repeat(1_000_001)))).toMatchObject({
      code: 'PARSE_LIMIT',
      offset: 1_000_000,
    })
  })
})

describe('ndjson', () => {
  const parse = (text: string): unknown[] => decodeAll(decoderOf('ndjson'), Buffer.from(text))

  test.each([
    ['', []],
    ['\n \r\n', []],
    ['{"a":1}\n[2]\n"x"', [{ a: 1 }, [2], 'x']],
    ['1\r\n\r\n\n 2 \n', [1, 2]],
  ])('decodes %j as %j', (text, expected) => {
    expect(parse(text)).toEqual(expected)
  })

  test.each([
    ['1\n{"a":\n1}\n', 8, 'the line ends within its JSON value'],
    ['1\n2 3\n', 4, 'the line holds more than one JSON value'],
    ['1\n\n}\n', 3, "unexpected '}' in JSON"],
  ])('refuses %j at offset %i: %s', (text, offset, message) => {
    expect(thrown(() => parse(text))).toMatchObject({ code: 'PARSE_FAILED', offset, message })
  })

  test('refuses the poisoned line', () => {
    expect(thrown(() => parse('1\n{"__proto__":1}\n'))).toMatchObject({ code: 'PARSE_FAILED', offset: 3 })
  })
})

describe('findFormat', () => {
  test('knows each format by its own name', () => {
    expect(FORMAT_NAMES).toEqual(expect.arrayContaining(['csv', 'http1', 'json', 'smtp', 'xml']))
    expect(FORMAT_NAMES).toEqual(FORMAT_NAMES.toSorted())
    for (const name of FORMAT_NAMES) expect(findFormat(name).name).toBe(name)
  })

  test('refuses what it does not know', () => {
    for (const name of ['nope', '__proto__', 'toString', ''])
      expect(thrown(() => findFormat(name))).toMatchObject({ code: 'FORMAT_NOT_FOUND' })
  })
})
