/** Formats of bytes on bytes that are nearly theirs, in any pieces, also where one cutter goes on with what another has seen. */

import { fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import { Encoder, decode as libraryDecode } from '@msgpack/msgpack'
import { array, assert, boolean, constantFrom, integer, jsonValue, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import type { Decoder } from '../../src/parse/formats/format.ts'
import { openDecoder } from '../support/decoders.ts'
import { readPieces, readWhole } from '../support/parse-pieces.ts'
import { ITEM_REGISTRY, ITEM_SET, messageType } from '../support/protobuf-set.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const ITEM = { descriptors: ITEM_SET, message: 'test.Item' }

/** Pieces of what the format is made of, and its options. */
const NOISES: readonly (readonly [format: string, options: object, parts: readonly string[]])[] = [
  [
    'resp',
    { attributes: true },
    [
      ...[
        '*2\r\n',
        '%1\r\n',
        '~0\r\n',
        '>1\r\n',
        '|1\r\n',
        '*?\r\n',
        '.\r\n',
        '$?\r\n',
        ';1\r\na\r\n',
        ';0\r\n',
      ],
      ...[
        '$1\r\n',
        'a\r\n',
        '$3\r\na\r\n\r\n',
        '+OK\r\n',
        '-ERR\r\n',
        ':12\r\n',
        '_\r\n',
        '#t\r\n',
        ',1.5\r\n',
      ],
      ...['(99999999999999999999\r\n', '=5\r\ntxt:a\r\n', '!1\r\ne\r\n', '\r', '\n', '-1', 'x'],
    ],
  ],
  [
    'memcached',
    {},
    [
      ...['VALUE a 0 1\r\n', 'VALUE b 1 0 7\r\n', 'a\r\n', '\r\n', 'END\r\n', 'STAT a b c\r\n', 'STORED\r\n'],
      ...[
        '42\r\n',
        'ERROR\r\n',
        'SERVER_ERROR x\r\n',
        'HD s1 W\r\n',
        'VA 1 k\r\n',
        'EN\r\n',
        'VERSION 1\r\n',
        '\r',
        ' ',
      ],
    ],
  ],
  ['length-prefixed', { bytes: 1 }, ['\0', '\x01', '\x02', '\x07', '\xff', 'abc']],
  ['length-prefixed', { varint: true, header: true }, ['\0', '\x01', '\x02', '\x81', '\x80', 'abc']],
  [
    'msgpack',
    {},
    [
      ...[
        '\x00',
        '\xff',
        '\xc0',
        '\xc3',
        '\x91',
        '\x92',
        '\x81',
        '\x80',
        '\x90',
        '\xa0',
        '\xa1a',
        '\xa2ab',
        '\xc1',
      ],
      ...[
        '\xd9\x01a',
        '\xda\0\x01b',
        '\xc4\x01\xff',
        '\xc5\0\x01',
        '\xcc',
        '\xcf',
        '\xcb',
        '\xd4\x01a',
        '\xc7\x02\x05',
      ],
      ...[
        '\xd6\xff\0\0\0\0',
        '\xdc\0\x02',
        '\xde\0\x01',
        '\xdd\0\0\0\x01',
        '\xdf\0\0\0\x01',
        '\xd3\0\0\0\0\0\0\0\x01',
      ],
    ],
  ],
  [
    'protobuf',
    ITEM,
    [
      '\0',
      '\x02',
      '\x05',
      '\x0a\x01a',
      '\x10\x05',
      '\x2a\x02',
      '\x1a\x02\x01\x80',
      '\x32\x05',
      '\x0b',
      '\x0c',
      '\x80',
    ],
  ],
]

test.each(NOISES)('%s with %.30j reads the same from any pieces', async (format, options, parts) => {
  const decoder = await openDecoder(format, options)
  const cases = property(
    array(constantFrom(...parts), { maxLength: 12 }),
    array(integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
    boolean(),
    (noise, sizes, isMoved) => expectSame(decoder, bytesOf(noise.join('')), sizes, isMoved),
  )
  await assert(cases, { numRuns: 3_000 })
})

test.each(NOISES)('%s with %.30j reads any bytes at all the same', async (format, options) => {
  const decoder = await openDecoder(format, options)
  const cases = property(uint8Array({ maxLength: 60 }), boolean(), (bytes, isMoved) =>
    expectSame(decoder, Buffer.from(bytes), [1, 3], isMoved),
  )
  await assert(cases, { numRuns: 1_000 })
})

function expectSame(decoder: Decoder, input: Buffer, sizes: readonly number[], isMoved: boolean): void {
  let turn = 0
  const expected = readWhole(decoder, input)
  const actual = readPieces(decoder, input, () => sizes[turn++ % sizes.length] ?? 1, isMoved)
  if (expected.failure === null) expect(actual).toEqual(expected)
  else expect(actual.failure).not.toBeNull()
}

test('msgpack brings back what its library reads, for every value that JSON has', async () => {
  const decoder = await openDecoder('msgpack')
  const encoder = new Encoder({ forceIntegerToFloat: false })
  const cases = property(
    jsonValue({ maxDepth: 5 }),
    integer({ min: 1, max: 9 }),
    boolean(),
    (value, size, isMoved) => {
      if (JSON.stringify(value).includes('"__proto__"')) return
      const bytes = Buffer.from(encoder.encode(value))
      const { values, failure } = readPieces(decoder, bytes, () => size, isMoved)
      expect(failure).toBeNull()
      expect(values).toEqual([libraryDecode(bytes)])
    },
  )
  await assert(cases, { numRuns: 1_000 })
})

test('protobuf brings back what its library reads, for every value that JSON has', async () => {
  const decoder = await openDecoder('protobuf', { ...ITEM, message: 'google.protobuf.Value' })
  const Value = messageType('google.protobuf.Value')
  const cases = property(
    jsonValue({ maxDepth: 5 }),
    integer({ min: 1, max: 9 }),
    boolean(),
    (value, size, isMoved) => {
      if (JSON.stringify(value).includes('"__proto__"')) return
      const message = toBinary(Value, fromJson(Value, value as never, { registry: ITEM_REGISTRY }))
      const bytes = Buffer.concat([varint(message.length), message])
      const { values, failure } = readPieces(decoder, bytes, () => size, isMoved)
      expect(failure).toBeNull()
      expect(values).toEqual([toJson(Value, fromBinary(Value, message))])
    },
  )
  await assert(cases, { numRuns: 1_000 })
})

function varint(value: number): Buffer {
  return value < 128
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value & 127) | 128]), varint(value >> 7)])
}
