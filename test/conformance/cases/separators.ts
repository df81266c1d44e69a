/** readuntil and readexactly, after CPython's test_streams.py and anyio's test_buffered.py. */
import { expect } from 'vitest'
import { IncompleteReadError, LimitOverrunError } from '../../../src/base/errors.ts'
import type { Separator } from '../../../src/streams/reading/stream-reader.ts'
import { asText, asyncLink, holding, rejected, testCase } from '../links.ts'
import type { Case } from '../transport.ts'

const FOUND = 'Separator is found, but chunk is longer than limit'
const NOT_FOUND = 'Separator is not found, and chunk exceed the limit'

type Row = readonly [
  limit: number,
  text: string,
  separator: string | string[],
  message: string,
  consumed: number,
]

const OVERRUNS: readonly Row[] = [
  [7, '12345678\n', '\n', FOUND, 8],
  [7, '12345678', '\n', NOT_FOUND, 8],
  [7, '123456789', 'AB', NOT_FOUND, 8],
  [2, 'xxxAAyy', ['xAA', 'AA'], FOUND, 3],
]

export const separatorCases: readonly Case[] = [
  testCase('test_readuntil_separator: nothing and emptiness are refused', [], async transport => {
    const { reader } = await holding(transport, 'abc')
    for (const [separator, message] of [
      ['', 'Separator should be at least one-byte string'],
      [['a', ''], 'Separator should be at least one-byte string'],
      [[], 'Separator should contain at least one element'],
    ] as const)
      expect(await rejected(reader.readUntil(separator))).toMatchObject({
        code: 'INVALID_SEPARATOR',
        message,
      })
  }),
  testCase('a Set, a nested array, numbers or nothing are a TypeError', [], async transport => {
    const { reader } = await holding(transport, 'abc')
    for (const separator of [new Set(['a']), [['a']], [97], 97, null])
      expect(await rejected(reader.readUntil(separator as unknown as Separator))).toBeInstanceOf(TypeError)
    expect(await asText(reader.read(9))).toBe('abc')
  }),
  testCase('a generator is a TypeError, and is not begun', ['async'], async transport => {
    const { reader } = await holding(transport, 'abc')
    let isBegun = false
    const generator = (function* () {
      isBegun = true
      yield 'a'
    })()
    expect(await rejected(reader.readUntil(generator as unknown as Separator))).toBeInstanceOf(TypeError)
    expect(isBegun).toBe(false)
  }),
  testCase('test_readuntil_multi_chunks: each read takes its own', [], async transport => {
    const link = await holding(transport, 'lineAAA')
    expect(await asText(link.reader.readUntil('AAA'))).toBe('lineAAA')
    await link.arrive('lineAAAxxx')
    expect(await asText(link.reader.readUntil('AAA'))).toBe('lineAAA')
    expect(await asText(link.reader.read(3))).toBe('xxx')
  }),
  testCase('test_readuntil_multi_chunks_1: a separator that begins in vain', [], async transport => {
    const link = await holding(transport, 'QWEaa')
    const reading = link.reader.readUntil('aaa')
    await link.arrive('XYaa')
    await link.arrive('a')
    expect(await asText(reading)).toBe('QWEaaXYaaa')
    for (const text of ['aaa', 'Xaaa']) {
      await link.arrive(text)
      expect(await asText(link.reader.readUntil('aaa'))).toBe(text)
    }
  }),
  testCase('test_readuntil_eof: what came, and an empty buffer', [], async transport => {
    const link = await holding(transport, 'some dataA')
    await link.finish()
    const error = await rejected(link.reader.readUntil('AAA'))
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({
      partial: Buffer.from('some dataA'),
      expected: null,
      message: '10 bytes read on a total of undefined expected bytes',
    })
    expect(await link.reader.atEof()).toBe(true)
  }),
  ...OVERRUNS.map(([limit, text, separator, message, consumed]) =>
    testCase(
      `test_readuntil_limit_found_sep: limit ${limit}, ${JSON.stringify(text)} by ${JSON.stringify(separator)}: ${consumed}`,
      [],
      async transport => {
        const { reader } = await holding(transport, text, { limit })
        const error = await rejected(reader.readUntil(separator))
        expect(error).toBeInstanceOf(LimitOverrunError)
        expect(error).toMatchObject({ code: 'LIMIT_OVERRUN', message, consumed })
        expect(await asText(reader.read(100))).toBe(text)
      },
    ),
  ),
  ...(
    [
      ['1234567', '\n', '1234567\n'],
      ['12345678', 'AB', '1234567AB'],
    ] as const
  ).map(([text, separator]) =>
    testCase(`with limit 7 waits after ${text} for ${JSON.stringify(separator)}`, [], async transport => {
      const link = await holding(transport, text, { limit: 7 })
      const timed = link.reader.readUntil(separator, { timeoutMs: 30 })
      expect(await rejected(timed)).toMatchObject({ code: 'READ_TIMEOUT' })
      expect(await asText(link.reader.read(9))).toBe(text)
    }),
  ),
  testCase('test_readuntil_multi_separator: the one that ends first', [], async transport => {
    const { reader } = await holding(transport, 'ABCDEFG')
    expect(await asText(reader.readUntil(['DEF', 'BCDE']))).toBe('ABCDE')
    expect(await asText(reader.readUntil(['G', 'x']))).toBe('FG')
  }),
  testCase('test_readuntil_multi_separator_limit: measured before the match', [], async transport => {
    const { reader } = await holding(transport, 'some dataA', { limit: 3 })
    expect(await rejected(reader.readUntil(['A', 'ome dataA']))).toMatchObject({
      consumed: 9,
      message: FOUND,
    })
  }),
  testCase(
    'test_readuntil_multi_separator_negative_offset: fewer bytes than separators',
    [],
    async transport => {
      const link = await holding(transport, 'data')
      const reading = link.reader.readUntil(['A', 'long sep'])
      await link.arrive('Z')
      await link.arrive('Aaaa')
      expect(await asText(reading)).toBe('dataZA')
      expect(await asText(link.reader.read(9))).toBe('aaa')
    },
  ),
  testCase('test_readuntil_bytearray: a view in a larger buffer is that part alone', [], async transport => {
    const { reader } = await holding(transport, 'some data\r\nrest')
    const whole = Buffer.from('xx\r\nxx')
    const view = new Uint8Array(whole.buffer, whole.byteOffset + 2, 2)
    expect(await asText(reader.readUntil(view))).toBe('some data\r\n')
    expect(await asText(reader.readUntil(Buffer.from('st')))).toBe('rest')
  }),
  testCase('overrun, then readexactly(consumed), then readuntil again loses nothing', [], async transport => {
    const { reader } = await holding(transport, '123456789\r\nnext\r\n', { limit: 4 })
    const { consumed } = (await rejected(reader.readUntil('\r\n'))) as LimitOverrunError
    expect(await asText(reader.readExactly(consumed))).toBe('123456789')
    expect(await asText(reader.readUntil('\r\n'))).toBe('\r\n')
    expect(await asText(reader.readUntil('\r\n'))).toBe('next\r\n')
  }),
  ...['ab', 'abc', 'abca'].map(separator =>
    testCase(`${separator} is found however it is split over two and three chunks`, [], async transport => {
      const link = await transport.open()
      const text = `xa${separator}`
      for (let first = 1; first < text.length; first++)
        for (let second = first + 1; second <= text.length; second++) {
          const reading = link.reader.readUntil(separator)
          for (const part of [text.slice(0, first), text.slice(first, second), text.slice(second)])
            if (part !== '') await link.arrive(part)
          expect(await asText(reading)).toBe(text)
        }
    }),
  ),
  testCase('the last bytes before the end are looked through', [], async transport => {
    const link = await holding(transport, 'abc\r\nrest')
    await link.finish()
    expect(await asText(link.reader.readUntil('\r\n'))).toBe('abc\r\n')
    expect(await asText(link.reader.readLine())).toBe('rest')
  }),
  testCase('test_readexactly_zero_or_less', [], async transport => {
    const { reader } = await holding(transport, 'data')
    expect(await reader.readExactly(0)).toHaveLength(0)
    expect(await rejected(reader.readExactly(-1))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'readexactly size can not be less than zero',
    })
    expect(await asText(reader.read(9))).toBe('data')
  }),
  testCase('test_readexactly: over several chunks; the rest stays', [], async transport => {
    const link = await transport.open()
    const reading = link.reader.readExactly(10)
    await link.arrive('data1')
    await link.arrive('data2')
    await link.arrive('xyz')
    expect(await asText(reading)).toBe('data1data2')
    expect(await asText(link.reader.read(9))).toBe('xyz')
  }),
  testCase('test_readexactly_limit: not bounded by the limit', [], async transport => {
    const { reader } = await holding(transport, 'chunk', { limit: 3 })
    expect(await asText(reader.readExactly(5))).toBe('chunk')
  }),
  testCase('test_readexactly_eof: what came and what was wanted', [], async transport => {
    const link = await transport.open()
    const reading = rejected(link.reader.readExactly(10))
    await link.arrive('line1\n')
    await link.finish()
    expect(await reading).toMatchObject({
      partial: Buffer.from('line1\n'),
      expected: 10,
      message: '6 bytes read on a total of 10 expected bytes',
    })
    expect(await link.reader.read()).toHaveLength(0)
  }),
  testCase('test_readexactly_exception: bytes, then the error', [], async transport => {
    const link = await holding(transport, 'line\n')
    expect(await asText(link.reader.readExactly(2))).toBe('li')
    await link.break()
    await rejected(link.reader.readExactly(2))
  }),
  testCase('test_receive_exactly: two counts of one stream', [], async transport => {
    const { reader } = await holding(transport, 'abcdefgh')
    expect(await asText(reader.readExactly(3))).toBe('abc')
    expect(await asText(reader.readExactly(3))).toBe('def')
  }),
  testCase('test_receive_exactly_incomplete', [], async transport => {
    const link = await holding(transport, 'abc')
    await link.finish()
    expect(await rejected(link.reader.readExactly(8))).toMatchObject({ code: 'INCOMPLETE_READ' })
  }),
  testCase('test_receive_until: separators one after the other', [], async transport => {
    const link = await holding(transport, 'abcd')
    const reading = link.reader.readUntil('de', { limit: 10 })
    await link.arrive('efgh')
    expect(await asText(reading)).toBe('abcde')
    expect(await asText(link.reader.readUntil('h', { limit: 10 }))).toBe('fgh')
  }),
  testCase('test_receive_until_incomplete: a separator that never comes', [], async transport => {
    const link = await holding(transport, 'abcd')
    await link.finish()
    expect(await rejected(link.reader.readUntil('de', { limit: 10 }))).toMatchObject({
      code: 'INCOMPLETE_READ',
    })
  }),
  testCase('test_receive_invalid_max_bytes: a limit of a call is above 0', [], async transport => {
    const { reader } = await holding(transport, 'a\n')
    for (const reading of [reader.readUntil('\n', { limit: 0 }), reader.readLine({ limit: -1 })])
      expect(await rejected(reading)).toMatchObject({ message: 'Limit cannot be <= 0' })
  }),
  testCase('test_feed_data: bytes by hand before those that come', ['fed'], async transport => {
    const link = await asyncLink(transport)
    link.reader.feedData(Buffer.from('abcde'))
    link.send('fgh')
    expect(await asText(link.reader.readUntil('g'))).toBe('abcdefg')
  }),
]
