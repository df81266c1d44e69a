import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { FileDescriptorSetSchema, file_google_protobuf_descriptor } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from 'vitest'
import { decodeAll } from '../../../src/parse/formats/decode-all.ts'
import type { Decoder } from '../../../src/parse/formats/format.ts'
import { findFormat } from '../../../src/parse/formats/registry.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { openDecoder } from '../../support/decoders.ts'
import { expectSamePieces } from '../../support/parse-pieces.ts'
import { descriptorSet, ITEM_REGISTRY, ITEM_SET, messageType } from '../../support/protobuf-set.ts'

const Item = messageType('test.Item')
const registry = ITEM_REGISTRY
const ITEM = { descriptors: ITEM_SET, message: 'test.Item' }

const open = (options = {}): Promise<Decoder> => openDecoder('protobuf', { ...ITEM, ...options })
const bytesOf = (value: JsonValue): Buffer => Buffer.from(toBinary(Item, fromJson(Item, value, { registry })))
const delimited = (message: Uint8Array): Buffer => Buffer.from(new BinaryWriter().bytes(message).finish())
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

const encodedSet = (...files: readonly object[]): Buffer =>
  Buffer.from(toBinary(FileDescriptorSetSchema, descriptorSet(...files)))

const VALUES: readonly JsonValue[] = [
  {},
  { name: 'a', id: '-9223372036854775808', counts: [1, -2, 300], rawBytes: 'AP8=' },
  { name: '\ufeffé😀', kind: 'SOME', kinds: ['NONE', 'SOME'], words: ['', 'x'], flags: [true, false] },
  { child: { child: { child: { name: 'deep' } } }, list: [{}, { name: 'b' }] },
  { items: { a: { id: '1' }, '': {} }, numbers: { '-5': 'five' } },
  {
    at: '2026-02-03T04:05:06.789Z',
    took: '1.500s',
    doubles: [1.5, 'NaN', '-Infinity'],
    fixed: [1, 4_294_967_295],
  },
  { value: { a: [null, true, 1.5, 'x', { b: {} }] } },
  { any: { '@type': 'type.googleapis.com/test.Item', name: 'inside', child: { name: 'x' } } },
  { any: { '@type': 'type.googleapis.com/google.protobuf.Timestamp', value: '1970-01-01T00:00:00Z' } },
]

describe('protobuf', () => {
  test.each(VALUES)('reads what the library writes for %j', async value => {
    const message = bytesOf(value)
    expect(decodeAll(await open({ framing: 'none' }), message)).toEqual([value])
    expect(toJson(Item, fromBinary(Item, message), { registry })).toEqual(value)
  })

  test('reads messages behind their lengths, however the bytes are cut', async () => {
    const decoder = await open()
    const input = Buffer.concat(VALUES.map(value => delimited(bytesOf(value))))
    expect(expectSamePieces(decoder, input).values).toEqual(VALUES)
    for (const value of VALUES) expectSamePieces(decoder, delimited(bytesOf(value)))
  })

  test('takes all of an input for one message where nothing frames it', async () => {
    const decoder = await open({ framing: 'none' })
    expect(decodeAll(decoder, Buffer.alloc(0))).toEqual([{}])
    const twice = Buffer.concat([bytesOf({ name: 'a', counts: [1] }), bytesOf({ name: 'b', counts: [2] })])
    expect(decodeAll(decoder, twice)).toEqual([{ name: 'b', counts: [1, 2] }])
    expect(expectSamePieces(decoder, twice).values).toHaveLength(1)
  })

  test('takes descriptors as base64 of either alphabet, or as bytes', async () => {
    for (const descriptors of [
      ITEM_SET.toString('base64'),
      ITEM_SET.toString('base64url'),
      new Uint8Array(ITEM_SET),
    ])
      expect(decodeAll(await open({ descriptors }), delimited(bytesOf({ name: 'a' })))).toEqual([
        { name: 'a' },
      ])
  })

  test('knows the names in JSON that descriptors leave out', async () => {
    const field = { name: 'two_words', number: 1, type: 'TYPE_STRING' }
    const inner = { name: 'B', field: [field] }
    const message = {
      name: 'A',
      field: [{ ...field, name: 'other', number: 2, jsonName: 'own' }, field],
      nestedType: [inner],
    }
    const descriptors = encodedSet({ name: 'a.proto', messageType: [message] })
    for (const [name, value] of [
      ['A', { own: 'b', twoWords: 'a' }],
      ['A.B', { twoWords: 'a' }],
    ] as const) {
      const decoder = await open({ descriptors, message: name, framing: 'none' })
      expect(decodeAll(decoder, hex('0a 01 61 12 01 62'))).toEqual([value])
    }
  })

  test('leaves out what the descriptors do not know, and extensions', async () => {
    const decoder = await open({ framing: 'none' })
    expect(decodeAll(decoder, hex('a2 3e 01 61 98 3e 05 0a 01 62'))).toEqual([{ name: 'b' }])
    const old = await open({ message: 'test.legacy.Old', framing: 'none' })
    expect(decodeAll(old, hex('0b 10 05 0b 10 06 0c 0c 12 01 61 a2 06 01 78'))).toEqual([
      { inner: { n: 5, inner: { n: 6 } }, text: 'a' },
    ])
    // Unknown groups are passed as well.
    expect(decodeAll(old, hex('2b 08 01 2c 12 01 61'))).toEqual([{ text: 'a' }])
  })

  test.each([
    ['0a 05 61', 2],
    ['0a ff ff ff ff 07', 6],
    ['0a ff ff ff ff ff ff ff ff ff 01', 11],
    ['08', 1],
    [`10 ${'80'.repeat(11)}`, 1],
    ['10 80', 1],
    ['00 01', 0],
    ['07', 0],
    ['0f', 1],
    ['0c', 0],
    ['0a 01 ff', 2],
    ['09 00', 1],
    ['2a 03 0a 05 61', 4],
    ['32 0d 0a 09 5f5f70726f746f5f5f 12 00', 4],
    ['52 0f 2a 0d 0a 0b 0a 09 5f5f70726f746f5f5f', 8],
    ['0b 08 01', 3],
  ])('refuses %s at its place', async (bytes, offset) => {
    const whole = await open({ framing: 'none' })
    expect(thrown(() => decodeAll(whole, hex(bytes)))).toMatchObject({ code: 'PARSE_FAILED', offset })
    const framed = await open()
    const input = Buffer.concat([delimited(Buffer.alloc(0)), delimited(hex(bytes))])
    expect(thrown(() => decodeAll(framed, input))).toMatchObject({ code: 'PARSE_FAILED', offset: offset + 2 })
  })

  test.each([
    ['a value that JSON has no form for', '52 00'],
    ['a time beyond all calendars', '42 0a 08 ff ff ff ff ff ff ff ff 7f'],
    ['an Any of a type that the descriptors do not know', '4a 05 0a 03 61 2f 62'],
  ])('refuses %s', async (_what, bytes) => {
    const decoder = await open({ framing: 'none' })
    expect(thrown(() => decodeAll(decoder, hex(bytes)))).toMatchObject({ code: 'PARSE_FAILED', offset: 0 })
  })

  test('refuses a prototype of a constructor in a value', async () => {
    const decoder = await open({ framing: 'none' })
    const message = bytesOf({ value: { constructor: { prototype: 1 } } as never })
    expect(thrown(() => decodeAll(decoder, message))).toMatchObject({ code: 'PARSE_FAILED', offset: 0 })
  })

  /** A message in a field of a message, so many times. */
  function nested(depth: number, field: number, innermost: Buffer = Buffer.alloc(0)): Buffer {
    const parts: Buffer[] = [innermost]
    let length = innermost.length
    for (let level = 0; level < depth; level++) {
      const head = Buffer.from(new BinaryWriter().tag(field, 2).uint32(length).finish())
      parts.push(head)
      length += head.length
    }
    return Buffer.concat(parts.reverse())
  }

  /** An Any in an Any. */
  function nestedAny(depth: number): Buffer {
    const name = new BinaryWriter().tag(1, 2).string('/google.protobuf.Any').finish()
    let value: Buffer = Buffer.alloc(0)
    for (let level = 0; level < depth; level++)
      value = Buffer.concat([name, new BinaryWriter().tag(2, 2).bytes(value).finish()])
    return value
  }

  test('refuses what is nested deeper than the bound, in time', async () => {
    const item = await open({ framing: 'none' })
    const old = await open({ framing: 'none', message: 'test.legacy.Old' })
    const limit = { code: 'PARSE_LIMIT', offset: expect.any(Number) }
    expect(decodeAll(item, nested(63, 5))).toHaveLength(1)
    expect(thrown(() => decodeAll(item, nested(64, 5)))).toMatchObject(limit)
    expect(thrown(() => decodeAll(item, nested(100_000, 5)))).toMatchObject(limit)
    expect(thrown(() => decodeAll(item, nested(100_000, 12)))).toMatchObject(limit)
    expect(thrown(() => decodeAll(old, Buffer.alloc(100_000, 0x0b)))).toMatchObject(limit)
    expect(thrown(() => decodeAll(old, Buffer.alloc(100_000, 0x2b)))).toMatchObject(limit)
    const any = await open({ framing: 'none', message: 'google.protobuf.Any' })
    expect(thrown(() => decodeAll(any, nestedAny(3_000)))).toMatchObject(limit)
    const decoder = await open({ framing: 'none' })
    expect(thrown(() => decodeAll(decoder, nested(1, 9, nestedAny(70))))).toMatchObject(limit)
  })

  test('refuses more parts than the bound', async () => {
    const decoder = await open({ framing: 'none' })
    const limit = { code: 'PARSE_LIMIT', offset: expect.any(Number) }
    for (const field of [3, 17]) {
      const packed = new BinaryWriter().tag(field, 2).bytes(new Uint8Array(1_000_001)).finish()
      expect(thrown(() => decodeAll(decoder, Buffer.from(packed)))).toMatchObject(limit)
    }
    const doubles = new BinaryWriter().tag(11, 2).bytes(new Uint8Array(8_000_008)).finish()
    expect(thrown(() => decodeAll(decoder, Buffer.from(doubles)))).toMatchObject(limit)
    const empty = Buffer.alloc(2_000_002, Buffer.from([0x62, 0]))
    expect(thrown(() => decodeAll(decoder, empty))).toMatchObject(limit)
  })

  test('refuses lengths that are no message', async () => {
    const decoder = await open()
    for (const [bytes, code] of [
      ['ff ff ff ff 0f', 'PARSE_LIMIT'],
      ['80'.repeat(10), 'PARSE_FAILED'],
      ['05 0a 01', 'PARSE_FAILED'],
    ] as const)
      expect(thrown(() => decodeAll(decoder, hex(bytes)))).toMatchObject({ code, offset: expect.any(Number) })
  })

  test.each([
    [{}, 'options.descriptors'],
    [{ descriptors: '*', message: 'a' }, 'options.descriptors'],
    [{ descriptors: '', message: 'a' }, 'options.descriptors'],
    [{ descriptors: 'a'.repeat(1_500_000), message: 'a' }, 'options.descriptors'],
    [{ descriptors: 'AAAA' }, 'options.message'],
    [{ descriptors: 'AAAA', message: '' }, 'options.message'],
    [{ descriptors: 'AAAA', message: 'a', framing: 'grpc' }, 'options.framing'],
    [{ descriptors: 'AAAA', message: 'a', other: 1 }, 'options.other'],
  ])('refuses the options %.60j', (options, path) => {
    expect(thrown(() => findFormat('protobuf').configure(options))).toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path }],
    })
  })

  test.each([
    ['of which nothing is whole', () => hex('0a ff 01'), 'options.descriptors'],
    ['without the message', () => ITEM_SET, 'options.message'],
    [
      'that are nested deeper than the bound',
      () => nested(1, 1, nested(1, 4, nested(20_000, 3))),
      'options.descriptors',
    ],
    [
      'that name what they do not have',
      () =>
        encodedSet({
          name: 'a.proto',
          messageType: [
            { name: 'A', field: [{ name: 'b', number: 1, type: 'TYPE_MESSAGE', typeName: '.B' }] },
          ],
        }),
      'options.descriptors',
    ],
    [
      'with a field whose name in JSON is a prototype',
      () =>
        encodedSet({
          name: 'a.proto',
          messageType: [
            { name: 'A', field: [{ name: 'b', number: 1, type: 'TYPE_STRING', jsonName: '__proto__' }] },
          ],
        }),
      'options.descriptors',
    ],
    [
      'whose names are long and many',
      () =>
        encodedSet({
          name: 'a.proto',
          package: 'p'.repeat(500_000),
          messageType: Array.from({ length: 30_000 }, (_, index) => ({ name: `A${index}` })),
        }),
      'options.descriptors',
    ],
    [
      'that import what they do not have',
      () => encodedSet({ name: 'a.proto', dependency: ['b.proto'], messageType: [{ name: 'A' }] }),
      'options.descriptors',
    ],
  ])('refuses descriptors %s', async (_what, descriptors, path) => {
    await expect(open({ descriptors: descriptors(), message: 'test.Nobody' })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path }],
    })
  })

  test('opens the descriptors of descriptors', async () => {
    const { proto } = file_google_protobuf_descriptor
    const set = descriptorSet()
    set.file.push(proto)
    const descriptors = Buffer.from(toBinary(FileDescriptorSetSchema, set))
    const decoder = await open({
      descriptors,
      message: 'google.protobuf.FileDescriptorSet',
      framing: 'none',
    })
    expect(decodeAll(decoder, descriptors)).toMatchObject([{ file: expect.any(Array) }])
  })
})
