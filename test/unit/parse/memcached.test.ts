import { describe, expect, test } from 'vitest'
import { decodeAll } from '../../../src/parse/formats/decode-all.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf } from '../../support/decoders.ts'
import { expectSamePieces } from '../../support/parse-pieces.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const parse = (text: string, options = {}): unknown[] =>
  decodeAll(decoderOf('memcached', options), bytesOf(text))

const ANSWERS: readonly (readonly [bytes: string, value: unknown])[] = [
  ['END\r\n', { values: [] }],
  ['VALUE a 0 1\r\nx\r\nEND\r\n', { values: [{ key: 'a', flags: 0, value: 'x' }] }],
  [
    'VALUE a 5 0\r\n\r\nVALUE b 4294967295 5 18446744073709551615\r\nEND\r\n\r\nEND\r\n',
    {
      values: [
        { key: 'a', flags: 5, value: '' },
        { key: 'b', flags: 4_294_967_295, cas: '18446744073709551615', value: 'END\r\n' },
      ],
    },
  ],
  [
    'VALUE k\xc3\xbc\xff 1 2 7\r\n\xff\xfe\r\nEND\r\n',
    { values: [{ key: { base64: 'a8O8/w==' }, flags: 1, cas: 7, value: { base64: '//4=' } }] },
  ],
  [
    'VALUE a 0 1\r\nx\r\nSERVER_ERROR out of memory\r\n',
    { error: 'SERVER_ERROR out of memory', values: [{ key: 'a', flags: 0, value: 'x' }] },
  ],
  ['STORED\r\n', { status: 'STORED' }],
  ['NOT_FOUND\r\n', { status: 'NOT_FOUND' }],
  ['OK\r\n', { status: 'OK' }],
  ['VERSION 1.6.18 x\r\n', { status: 'VERSION', text: '1.6.18 x' }],
  ['42\r\n', { number: 42 }],
  ['18446744073709551615\r\n', { number: '18446744073709551615' }],
  ['ERROR\r\n', { error: 'ERROR' }],
  ['CLIENT_ERROR bad data chunk\r\n', { error: 'CLIENT_ERROR bad data chunk' }],
  [
    'STAT pid 1\r\nSTAT version 1.6  a\r\nSTAT empty \r\nEND\r\n',
    { stats: { pid: '1', version: '1.6  a', empty: '' } },
  ],
  [
    'STAT a 1\r\nSTAT a 2\r\nEND\r\n',
    {
      stats: [
        ['a', '1'],
        ['a', '2'],
      ],
    },
  ],
  ['ITEM foo [5 b; 0 s]\r\nEND\r\n', { items: [{ key: 'foo', text: '[5 b; 0 s]' }] }],
  ['PREFIX a get 1 hit 0\r\nEND\r\n', { prefixes: [{ prefix: 'a', text: 'get 1 hit 0' }] }],
  ['HD\r\n', { status: 'HD', flags: {} }],
  ['HD kfoo s4 W O1\r\n', { status: 'HD', flags: { k: 'foo', s: '4', W: true, O: '1' } }],
  ['VA 4 f7 c12\r\nabcd\r\n', { status: 'VA', flags: { f: '7', c: '12' }, value: 'abcd' }],
  ['VA 0\r\n\r\n', { status: 'VA', flags: {}, value: '' }],
  ['EN\r\n', { status: 'EN', flags: {} }],
  ['MN\r\n', { status: 'MN' }],
  ['ME a exp=-1 la=0\r\n', { status: 'ME', text: 'a exp=-1 la=0' }],
]

describe('memcached', () => {
  test.each(ANSWERS)('reads %j', (bytes, value) => {
    expect(parse(bytes)).toEqual([value])
    expect(parse(`${bytes}STORED\r\n`)).toEqual([value, { status: 'STORED' }])
  })

  test('reads the same however the bytes are cut', () => {
    const decoder = decoderOf('memcached')
    for (const [bytes] of ANSWERS) expectSamePieces(decoder, bytesOf(`${bytes}MN\r\n`))
    const { values } = expectSamePieces(decoder, bytesOf(ANSWERS.map(([bytes]) => bytes).join('')))
    expect(values).toEqual(ANSWERS.map(([, value]) => value))
  })

  test('gives data as encoding says, and numbers as bigint says', () => {
    const bytes = 'VALUE a 0 1 18446744073709551615\r\n\xff\r\nEND\r\n'
    const [value] = parse(bytes, { encoding: 'hex', bigint: 'bigint' })
    expect(value).toEqual({ values: [{ key: 'a', flags: 0, cas: 18_446_744_073_709_551_615n, value: 'ff' }] })
    expect(parse('VA 1 kx\r\na\r\n', { encoding: 'base64' })).toEqual([
      { status: 'VA', flags: { k: 'x' }, value: 'YQ==' },
    ])
    const rounded = parse('18446744073709551615\r\n', { bigint: 'number' })
    expect(rounded).toEqual([{ number: 18_446_744_073_709_552_000 }])
  })

  test.each([
    ['STAT __proto__ 1\r\nEND\r\n', 'PARSE_FAILED'],
    ['VALUE a x 1\r\nx\r\nEND\r\n', 'PARSE_FAILED'],
    ['VALUE a 0 1 -2\r\nx\r\nEND\r\n', 'PARSE_FAILED'],
    ['VALUE a 0 1 2 3\r\nx\r\nEND\r\n', 'PARSE_FAILED'],
    ['VALUE a 0 -1\r\nx\r\nEND\r\n', 'PARSE_FAILED'],
    ['VALUE a 0 2147483648\r\nx', 'PARSE_FAILED'],
    ['VALUE a 0 1073741824\r\nx', 'PARSE_LIMIT'],
    ['VALUE a 0 5\r\nabc\r\nEND\r\n', 'PARSE_FAILED'],
    ['VA 16777216\r\n', 'PARSE_LIMIT'],
    ['STORED', 'PARSE_FAILED'],
    ['VALUE a 0 1\r\nx\r\n', 'PARSE_FAILED'],
    ['nonsense\r\n', 'PARSE_FAILED'],
    [`VERSION ${'x'.repeat(3_000)}\r\n`, 'PARSE_FAILED'],
  ])('refuses %j', (bytes, code) => {
    expect(thrown(() => parse(bytes))).toMatchObject({ code, offset: expect.any(Number) })
  })

  test('refuses a list of more values than the bound', { timeout: 60_000 }, () => {
    expect(thrown(() => parse('STAT a b\r\n'.repeat(1_000_001) + 'END\r\n'))).toMatchObject({
      code: 'PARSE_LIMIT',
      offset: 10_000_000,
    })
  })

  test.each([
    [{ encoding: 'latin1' }, 'options.encoding'],
    [{ bigint: 1 }, 'options.bigint'],
    [{ attributes: true }, 'options.attributes'],
  ])('refuses the options %j', (options, path) => {
    expect(thrown(() => findFormat('memcached').configure(options))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path }],
    })
  })
})
