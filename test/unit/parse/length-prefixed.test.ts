import { describe, expect, test } from 'vitest'
import { decodeAll } from '../../../src/parse/formats/decode-all.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { decoderOf, openDecoder } from '../../support/decoders.ts'
import { expectSamePieces } from '../../support/parse-pieces.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const parse = (text: string, options = {}): unknown[] =>
  decodeAll(decoderOf('length-prefixed', options), bytesOf(text))
const parseAsync = async (text: string, options = {}): Promise<unknown[]> =>
  decodeAll(await openDecoder('length-prefixed', options), bytesOf(text))

/** Options, bytes, and the bodies in them. */
const CASES: readonly (readonly [options: object, bytes: string, values: readonly unknown[]])[] = [
  [{}, '\0\0\0\x05hello\0\0\0\0\0\0\0\x01\xff', ['hello', '', { base64: '/w==' }]],
  [{ bytes: 2 }, '\0\x02hi\0\x01!', ['hi', '!']],
  [{ bytes: 2, endian: 'little' }, '\x02\0hi', ['hi']],
  [{ bytes: 1, offset: 1 }, 'T\x02hiU\x01!', ['hi', '!']],
  [{ bytes: 1, offset: 1, header: true }, 'T\x02hi', [{ header: '5402', payload: 'hi' }]],
  [{ bytes: 4, encoding: 'ascii' }, '0002hi', ['hi']],
  [{ bytes: 2, encoding: 'bcd' }, '\x00\x12hello, world', ['hello, world']],
  [{ bytes: 1, includesHeader: true }, '\x03hi', ['hi']],
  [{ bytes: 1, adjust: 2 }, '\x00hi', ['hi']],
  [{ bytes: 1, payload: 'hex' }, '\x02hi', ['6869']],
  [{ bytes: 1, payload: 'bytes' }, '\x01a', [new Uint8Array([0x61])]],
  [{ varint: true }, '\x02hi\0\x01!', ['hi', '', '!']],
  [{ varint: true }, `\xac\x02${'x'.repeat(300)}`, ['x'.repeat(300)]],
  [{ varint: true, header: true }, '\x82\x80\0hi', [{ header: '828000', payload: 'hi' }]],
  [{ varint: false, bytes: 1 }, '\x02hi', ['hi']],
]

describe('length-prefixed', () => {
  test.each(CASES)('with %j cuts %j', (options, bytes, values) => {
    expect(parse(bytes, options)).toEqual(values)
    expect(expectSamePieces(decoderOf('length-prefixed', options), bytesOf(bytes)).values).toEqual(values)
  })

  test.each([
    [{ payload: 'json' }, '\0\0\0\x07{"a":1}\0\0\0\x02[]', [{ a: 1 }, []]],
    [{ payload: 'msgpack', bytes: 1 }, '\x03\x92\x01\xc0', [[1, null]]],
    [{ payload: { format: 'resp', options: { encoding: 'hex' } }, varint: true }, '\x05+OK\r\n', ['4f4b']],
    [{ payload: 'json', bytes: 1, header: true }, '\x011', [{ header: '01', payload: 1 }]],
  ])('with %j has another format read the bodies', async (options, bytes, values) => {
    expect(await parseAsync(bytes, options)).toEqual(values)
    const decoder = await openDecoder('length-prefixed', options)
    expect(expectSamePieces(decoder, bytesOf(bytes)).values).toEqual(values)
  })

  test.each([
    ['\0\0\0\x02[}', 5],
    ['\0\0\0\x02[]\0\0\0\x03[1}', 12],
    ['\0\0\0\x04[][]', 4],
    ['\0\0\0\0', 4],
    ['\0\0\0\x02[1', 6],
  ])('refuses the body of %j at its place in the input', async (bytes, offset) => {
    await expect(parseAsync(bytes, { payload: 'json' })).rejects.toMatchObject({
      code: 'PARSE_FAILED',
      offset,
    })
  })

  test.each([
    ['\x80\0\0\0', {}, 'PARSE_LIMIT'],
    ['\xff\xff\xff\xffabc', {}, 'PARSE_LIMIT'],
    ['\0\0\0\x05abc', {}, 'PARSE_FAILED'],
    ['\0\0', {}, 'PARSE_FAILED'],
    ['\x01', { bytes: 1, adjust: -5 }, 'PARSE_FAILED'],
    ['\x00', { bytes: 1, includesHeader: true }, 'PARSE_FAILED'],
    ['-001', { encoding: 'ascii' }, 'PARSE_FAILED'],
    ['\x0bhello world', { bytes: 1, max: 11 }, 'PARSE_LIMIT'],
    ['\xff'.repeat(8), { bytes: 8 }, 'PARSE_FAILED'],
    ['\x80\x80', { varint: true }, 'PARSE_FAILED'],
    ['\x80'.repeat(10), { varint: true }, 'PARSE_FAILED'],
    ['\x80'.repeat(1_000_000), { varint: true }, 'PARSE_FAILED'],
    ['\xff\xff\xff\xff\x0f', { varint: true }, 'PARSE_LIMIT'],
    ['\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', { varint: true }, 'PARSE_LIMIT'],
    ['\x05hello', { varint: true, max: 5 }, 'PARSE_LIMIT'],
    ['\x05hell', { varint: true }, 'PARSE_FAILED'],
  ])('refuses %j with %j before it takes memory', (bytes, options, code) => {
    expect(thrown(() => parse(bytes, options))).toMatchObject({ code, offset: expect.any(Number) })
  })

  test.each([
    [{ bytes: 9 }, 'options.bytes'],
    [{ endian: 'middle' }, 'options.endian'],
    [{ encoding: 'utf8' }, 'options.encoding'],
    [{ max: 16_777_217 }, 'options.max'],
    [{ header: 1 }, 'options.header'],
    [{ varint: 'yes' }, 'options.varint'],
    [{ varint: true, bytes: 2 }, 'options.bytes'],
    [{ varint: true, max: 0 }, 'options.max'],
    [{ payload: 'nonsense' }, 'options.payload'],
    [{ payload: 5 }, 'options.payload'],
    [{ payload: 'length-prefixed' }, 'options.payload'],
    [{ payload: { format: 'json', more: 1 } }, 'options.payload.more'],
    [{ payload: { format: 'resp', options: { bigint: 1 } } }, 'options.payload.options.bigint'],
    [{ lengthField: {} }, 'options.lengthField'],
  ])('refuses the options %j', (options, path) => {
    const error = thrown(() => findFormat('length-prefixed').configure(options))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path }] })
  })
})
