import { describe, expect, test } from 'vitest'
import { SockpoolError } from '../../../src/base/errors.ts'
import { BlockingReader } from '../../../src/streams/blocking/blocking-reader.ts'
import type { StreamEnd } from '../../../src/streams/byte-source.ts'
import { ScriptedSource } from '../../fixtures/streams/scripted-source.ts'
import { thrown } from '../../fixtures/thrown.ts'

const FIN: StreamEnd = { kind: 'fin' }
const reset = new SockpoolError('CONNECTION_RESET', 'the peer reset the connection')
const RESET: StreamEnd = { kind: 'failed', error: reset }

const readerOf = (
  ...script: Array<string | StreamEnd>
): { reader: BlockingReader; source: ScriptedSource } => {
  const source = new ScriptedSource(...script)
  return { reader: new BlockingReader(source, { limit: 7 }), source }
}

describe('BlockingReader.read', () => {
  test('returns what is there, at most n bytes', () => {
    const { reader } = readerOf('abc', 'def', FIN)
    expect(reader.read(2).toString()).toBe('ab')
    expect(reader.read(10).toString()).toBe('c')
    expect(reader.read(10).toString()).toBe('def')
    expect(reader.read(10)).toHaveLength(0)
  })

  test('without n reads to the end, beyond the limit', () => {
    const { reader } = readerOf('0123456789', 'abcdef', FIN)
    expect(reader.read().toString()).toBe('0123456789abcdef')
    expect(reader.read(-2)).toHaveLength(0)
  })

  test('of nothing returns nothing, but throws the error of a broken stream', () => {
    const { reader, source } = readerOf()
    expect(reader.read(0)).toHaveLength(0)
    source.finish(RESET)
    expect(thrown(() => reader.read(0))).toBe(reset)
  })

  test('refuses half a byte', () => {
    expect(() => readerOf('a').reader.read(0.5)).toThrow(TypeError)
  })

  test('keeps all bytes when it times out', () => {
    const { reader, source } = readerOf('abc')
    const error = thrown(() => reader.read(-1, { timeoutMs: 20 }))
    expect(error).toMatchObject({ code: 'READ_TIMEOUT', message: 'read took longer than 20 ms' })
    source.finish(FIN)
    expect(reader.read().toString()).toBe('abc')
  })
})

describe('BlockingReader.readExactly', () => {
  test('waits for its count at once and is not bounded by the limit', () => {
    const { reader, source } = readerOf('0123', '4567', '89ab')
    expect(reader.readExactly(10).toString()).toBe('0123456789')
    expect(source.waits).toEqual([[10, Number.POSITIVE_INFINITY]])
    expect(reader.buffered).toBe(2)
  })

  test('tells what had come when the stream ends first, and empties the buffer', () => {
    const { reader } = readerOf('abc', FIN)
    const error = thrown(() => reader.readExactly(5))
    expect(error).toMatchObject({ code: 'INCOMPLETE_READ', partial: Buffer.from('abc'), expected: 5 })
    expect(reader.atEof()).toBe(true)
  })

  test('checks a negative count before the error of the stream', () => {
    const { reader, source } = readerOf()
    source.finish(RESET)
    expect(thrown(() => reader.readExactly(-1))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'readexactly size can not be less than zero',
    })
    expect(thrown(() => reader.readExactly(0))).toBe(reset)
  })

  test('keeps all bytes when it times out', () => {
    const { reader } = readerOf('abc')
    expect(thrown(() => reader.readExactly(5, { timeoutMs: 1 }))).toMatchObject({ code: 'READ_TIMEOUT' })
    expect(reader.readExactly(3).toString()).toBe('abc')
  })
})

describe('BlockingReader.readUntil', () => {
  test('returns the separator too, wherever it was cut', () => {
    const { reader } = readerOf('ab\r', '\ncd', '\r\n')
    expect(reader.readUntil('\r\n').toString()).toBe('ab\r\n')
    expect(reader.readUntil(['\r\n', '!']).toString()).toBe('cd\r\n')
  })

  test('finds a separator that came together with the end', () => {
    const { reader, source } = readerOf()
    source.feed(Buffer.from('ab;'))
    source.finish(FIN)
    expect(reader.readUntil(';').toString()).toBe('ab;')
  })

  test('tells what had come when the stream ends first', () => {
    const { reader } = readerOf('abc', FIN)
    expect(thrown(() => reader.readUntil(';'))).toMatchObject({
      code: 'INCOMPLETE_READ',
      partial: Buffer.from('abc'),
      expected: null,
      message: '3 bytes read on a total of undefined expected bytes',
    })
    expect(reader.atEof()).toBe(true)
  })

  test('removes nothing when the limit is passed, and goes on after the consumed bytes', () => {
    const { reader } = readerOf('0123456789', ';rest;')
    expect(thrown(() => reader.readUntil(';'))).toMatchObject({ code: 'LIMIT_OVERRUN', consumed: 10 })
    expect(reader.readExactly(10).toString()).toBe('0123456789')
    expect(reader.readUntil(';').toString()).toBe(';')
    expect(reader.readUntil(';', { limit: 4 }).toString()).toBe('rest;')
  })

  test('refuses a limit of zero', () => {
    expect(thrown(() => readerOf('a').reader.readUntil('\n', { limit: 0 }))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'Limit cannot be <= 0',
    })
  })
})

describe('BlockingReader.readLine', () => {
  test('returns lines, then the unterminated rest, then nothing', () => {
    const { reader } = readerOf('a\nb', 'c\nd', FIN)
    expect([...reader].map(String)).toEqual(['a\n', 'bc\n', 'd'])
    expect(reader.readLine()).toHaveLength(0)
  })

  test('drops a line that is too long together with its newline', () => {
    const { reader } = readerOf('0123456789\nab\n')
    expect(thrown(() => reader.readLine())).toMatchObject({
      code: 'LIMIT_OVERRUN',
      message: 'Separator is found, but chunk is longer than limit',
    })
    expect(reader.readLine().toString()).toBe('ab\n')
  })

  test('drops all that has come of a line without a newline', () => {
    const { reader } = readerOf('0123456789', 'ab\n')
    expect(thrown(() => reader.readLine())).toMatchObject({
      message: 'Separator is not found, and chunk exceed the limit',
    })
    expect(reader.readLine().toString()).toBe('ab\n')
  })
})

describe('BlockingReader', () => {
  test('throws the error of a broken stream even with bytes left, and is not at its end', () => {
    const { reader, source } = readerOf('ab\n')
    source.waitFor(3, 0)
    source.finish(RESET)
    expect(thrown(() => reader.readLine())).toBe(reset)
    expect(thrown(() => reader.read(1))).toBe(reset)
    expect(reader.exception()).toBe(reset)
    expect(reader.atEof()).toBe(false)
  })

  test('throws the error that comes while it waits', () => {
    const { reader } = readerOf('ab', RESET)
    expect(thrown(() => reader.readUntil(';'))).toBe(reset)
  })

  test('peek leaves the bytes, and shows fewer at the end only', () => {
    const { reader } = readerOf('ab', 'cd', FIN)
    expect(reader.peek(3).toString()).toBe('abc')
    expect(reader.peek(9).toString()).toBe('abcd')
    expect(reader.read().toString()).toBe('abcd')
    expect(reader.peek(1)).toHaveLength(0)
  })

  test('never waits beyond its deadline, whatever the call allows', () => {
    const source = new ScriptedSource()
    const reader = new BlockingReader(source, { deadline: performance.now() + 50, timeoutMs: 10_000 })
    expect(thrown(() => reader.read(1, { timeoutMs: 60_000 }))).toMatchObject({ code: 'READ_TIMEOUT' })
    expect(source.waits[0]?.[1]).toBeLessThanOrEqual(50)
  })
})
