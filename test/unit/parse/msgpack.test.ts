import { decode, decodeMulti, Encoder, ExtData, encode } from '@msgpack/msgpack'
import { describe, expect, test } from 'vitest'
import { decodeAll, writeAll } from '../../../src/parse/formats/decode-all.ts'
import type { Decoder } from '../../../src/parse/formats/format.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { openDecoder } from '../../support/decoders.ts'
import { expectSamePieces } from '../../support/parse-pieces.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const parse = async (bytes: Uint8Array, options = {}): Promise<unknown[]> =>
  decodeAll(await openDecoder('msgpack', options), Buffer.from(bytes))

function encoded(value: unknown): Buffer {
  return Buffer.from(new Encoder({ useBigInt64: true }).encode(value))
}

/** Values in the form that JSON has them too, and the bytes that the library writes for them. */
const PLAIN: readonly unknown[] = [
  null,
  true,
  false,
  0,
  127,
  128,
  -1,
  -32,
  -33,
  255,
  65_535,
  65_536,
  4_294_967_295,
  -2_147_483_648,
  9_007_199_254_740_991,
  -9_007_199_254_740_991,
  1.5,
  -1e300,
  '',
  'a',
  'é😀',
  'x'.repeat(31),
  'x'.repeat(32),
  'y'.repeat(256),
  `\ufeff${'z'.repeat(70_000)}`,
  [],
  [1, [2, [3]]],
  Array.from({ length: 20 }, (_, index) => index),
  Array.from({ length: 70_000 }, (_, index) => index % 7),
  {},
  { a: 1, b: { c: [null] }, é: '' },
  Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`key ${index}`, index])),
]

describe('msgpack', () => {
  test.each(PLAIN)('reads what the library writes for %.40j', async value => {
    const bytes = encoded(value)
    expect(await parse(bytes)).toEqual([value])
    expect(await parse(Buffer.concat([bytes, bytes]))).toEqual([value, value])
  })

  test('reads many values as the library does, however the bytes are cut', async () => {
    const decoder = await openDecoder('msgpack')
    for (const value of PLAIN.slice(0, 27)) expectSamePieces(decoder, encoded(value))
    const all = Buffer.concat(PLAIN.map(encoded))
    const { values } = expectSamePieces(decoder, all)
    expect(values).toEqual(PLAIN)
    const short = Buffer.concat(PLAIN.filter(value => JSON.stringify(value).length < 60_000).map(encoded))
    expect(decodeAll(decoder, short)).toEqual([...decodeMulti(short)])
  })

  test.each([
    ['c4 02 ff 00', { base64: '/wA=' }],
    ['c4 01 61', 'a'],
    ['c4 00', ''],
    ['a2 ff fe', { base64: '//4=' }],
    ['cf ff ff ff ff ff ff ff ff', '18446744073709551615'],
    ['d3 80 00 00 00 00 00 00 00', '-9223372036854775808'],
    ['cf 00 00 00 00 00 00 00 07', 7],
    ['cb 7f f0 00 00 00 00 00 00', Number.POSITIVE_INFINITY],
    ['ca 7f c0 00 00', Number.NaN],
    ['d4 05 ff', { ext: 5, data: { base64: '/w==' } }],
    ['c7 03 80 61 62 63', { ext: -128, data: 'abc' }],
    ['c7 00 01', { ext: 1, data: '' }],
    ['d6 ff 00 00 00 00', '1970-01-01T00:00:00Z'],
    ['d7 ff 00 00 00 04 00 00 00 01', '1970-01-01T00:00:01.000000001Z'],
    ['c7 0c ff 1d cd 65 00 ff ff ff ff ff ff ff ff', '1969-12-31T23:59:59.500Z'],
    ['c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff', { ext: -1, data: { base64: 'AAAAAH//////////' } }],
    ['82 01 a1 61 fe a1 62', { '1': 'a', '-2': 'b' }],
    ['81 cb 3f f8 00 00 00 00 00 00 c0', { '1.5': null }],
    ['81 cf ff ff ff ff ff ff ff ff c0', { '18446744073709551615': null }],
    ['82 a1 61 01 a1 61 02', { a: 2 }],
    ['dd 00 00 00 01 df 00 00 00 01 db 00 00 00 01 61 c6 00 00 00 01 62', [{ a: 'b' }]],
    ['92 a1 61 c4 01 61', ['a', 'a']],
  ])('reads %s', async (bytes, value) => {
    expect(await parse(hex(bytes))).toEqual([value])
    const decoder = await openDecoder('msgpack')
    expect(expectSamePieces(decoder, hex(`${bytes} 01`)).values).toEqual([value, 1])
  })

  test('gives binary as encoding says, texts as texts', async () => {
    const bytes = hex('93 a1 61 c4 01 61 d4 05 61')
    for (const [encoding, a] of [
      ['base64', 'YQ=='],
      ['hex', '61'],
      ['bytes', new Uint8Array([0x61])],
    ])
      expect(await parse(bytes, { encoding })).toEqual([['a', a, { ext: 5, data: a }]])
    expect(await parse(hex('92 c4 00 a0'), { encoding: 'bytes' })).toEqual([[new Uint8Array(0), '']])
  })

  test('gives large numbers as bigint says, and writes them as text', async () => {
    const bytes = hex('cf ff ff ff ff ff ff ff ff')
    expect(await parse(bytes, { bigint: 'number' })).toEqual([18_446_744_073_709_552_000])
    expect(await parse(bytes, { bigint: 'bigint' })).toEqual([18_446_744_073_709_551_615n])
    const decoder = await openDecoder('msgpack', { bigint: 'bigint' })
    const input = Buffer.concat([bytes, hex('c4 02 ff 00'), hex('cb ff f0 00 00 00 00 00 00')])
    const text = writeAll(decoder, input, { before: '[', between: ',', end: '', after: ']' })
    expect(Buffer.from(text).toString()).toBe('["18446744073709551615",{"base64":"/wA="},"-Infinity"]')
  })

  test('reads times as the library does', async () => {
    for (const time of [
      new Date(0),
      new Date('2026-02-03T04:05:06.789Z'),
      new Date('1601-01-01T00:00:00Z'),
    ]) {
      const bytes = Buffer.from(encode(time))
      expect(new Date(String((await parse(bytes))[0]))).toEqual(decode(bytes))
    }
    expect(await parse(encode(new ExtData(7, new Uint8Array([1]))))).toEqual([{ ext: 7, data: '\u0001' }])
  })

  test.each([
    ['81 a9 5f5f70726f746f5f5f 01', 1],
    ['92 01 81 a9 5f5f70726f746f5f5f 80', 3],
    ['81 d9 09 5f5f70726f746f5f5f 80', 1],
    ['81 ab 636f6e7374727563746f72 81 a9 70726f746f74797065 01', 14],
    ['81 c0 01', 1],
    ['81 c3 01', 1],
    ['81 90 01', 1],
    ['81 c4 01 61 01', 1],
    ['81 a1 ff 01', 1],
    ['d4 ff 00', 0],
    ['91 d7 ff ff ff ff ff 00 00 00 00', 1],
    ['c7 0c ff 3b 9a ca 00 00 00 00 00 00 00 00 00', 0],
    ['92 01 c1', 2],
  ])('refuses %s', async (bytes, offset) => {
    await expect(parse(hex(bytes))).rejects.toMatchObject({ code: 'PARSE_FAILED', offset })
    await expect(parse(hex(`01 ${bytes}`))).rejects.toMatchObject({
      code: 'PARSE_FAILED',
      offset: offset + 1,
    })
  })

  test('lets a constructor be anything but a way to a prototype', async () => {
    const values: readonly object[] = [{ constructor: { a: 1 } }, { prototype: 1 }]
    expect(await parse(encoded(values))).toEqual([values])
  })

  test.each([
    ['c6 80 00 00 00 61', 'PARSE_LIMIT', 0],
    ['db ff ff ff ff 61', 'PARSE_LIMIT', 0],
    ['c9 ff ff ff ff 05', 'PARSE_LIMIT', 0],
    ['dd ff ff ff ff', 'PARSE_LIMIT', 0],
    ['df 80 00 00 00', 'PARSE_LIMIT', 0],
    ['df 00 07 a1 20 01', 'PARSE_LIMIT', 0],
    ['92 01 c6 01 00 00 00', 'PARSE_LIMIT', 2],
    ['a5 61', 'PARSE_FAILED', 2],
    ['92 01', 'PARSE_FAILED', 2],
    ['c6 00 00', 'PARSE_FAILED', 3],
    ['91'.repeat(100_000), 'PARSE_LIMIT', 64],
    ['81 a1 61'.repeat(100_000), 'PARSE_LIMIT', 192],
    [`${'dc 80 00'} ${'dc 80 00'.repeat(40)}`, 'PARSE_LIMIT', 90],
  ])('refuses %.30s before it takes memory', async (bytes, code, offset) => {
    const decoder = await openDecoder('msgpack')
    expect(thrown(() => decodeAll(decoder, hex(bytes)))).toMatchObject({ code, offset })
    if (bytes.length < 1_000) expect(expectSamePieces(decoder, hex(bytes)).failure).toBe(code)
  })

  test('reads as deep and as much as the bounds allow', async () => {
    const deep = hex(`${'91'.repeat(64)}c0`)
    const [value] = await parse(deep)
    expect(JSON.stringify(value)).toBe(`${'['.repeat(64)}null${']'.repeat(64)}`)
    const many = Buffer.concat([hex('dd 00 0f 42 3f'), Buffer.alloc(999_999, 0xc0)])
    expect((await parse(many))[0]).toHaveLength(999_999)
  })

  test('looks at each byte once, whatever its pieces are', async () => {
    const decoder: Decoder = await openDecoder('msgpack')
    const long = Buffer.concat([hex('c6 00 e0 00 00'), Buffer.alloc(0xe0_0000)])
    const cutter = decoder.cutter()
    for (let at = 0; at < long.length - 1_000; at += 1_000)
      expect(cutter.push(long.subarray(at, at + 1_000))).toBe(0)
    expect(cutter.push(long.subarray(long.length - (long.length % 1_000 || 1_000)))).toBe(long.length)
  })

  test.each([
    [{ encoding: 'latin1' }, 'options.encoding'],
    [{ bigint: true }, 'options.bigint'],
    [{ attributes: true }, 'options.attributes'],
  ])('refuses the options %j', (options, path) => {
    expect(thrown(() => findFormat('msgpack').configure(options))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path }],
    })
  })
})
