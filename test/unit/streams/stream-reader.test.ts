/** StreamReader over memory, as asyncio's StreamReader behaves; and the named options that go beyond it. */
import { describe, expect, test } from 'vitest'
import { IncompleteReadError, LimitOverrunError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { StreamReader, type StreamReaderOptions } from '../../../src/streams/reading/stream-reader.ts'
import { thrown } from '../../fixtures/thrown.ts'

function open(data = '', options: StreamReaderOptions = {}): StreamReader {
  const reader = new StreamReader(options)
  reader.feedData(Buffer.from(data))
  return reader
}

const feed = (reader: StreamReader, data: string): void => reader.feedData(Buffer.from(data))

const rejected = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    value => {
      throw new Error(`resolved with ${String(value)}`)
    },
    (error: unknown) => error,
  )

async function asText(promise: Promise<Buffer>): Promise<string> {
  return (await promise).toString()
}

const overrun = {
  found: 'Separator is found, but chunk is longer than limit',
  not: 'Separator is not found, and chunk exceed the limit',
}

describe('StreamReader.read', () => {
  test('gives up to n bytes as soon as one is there, beyond the limit too', async () => {
    const reader = open('', { limit: 3 })
    const reading = reader.read(100)
    feed(reader, 'abcdef')
    expect(await asText(reading)).toBe('abcdef')
    feed(reader, 'ghi')
    expect(await asText(reader.read(2))).toBe('gh')
    expect(reader.offset).toBe(8)
  })

  test('of 0 is empty at once, unless the stream broke', async () => {
    const reader = open('abc')
    expect(await reader.read(0)).toHaveLength(0)
    const broken = new Error('broken')
    reader.setException(broken)
    expect(await rejected(reader.read(0))).toBe(broken)
  })

  test.each([undefined, -1, -5])('of %s gives everything up to the end', async n => {
    const reader = open('abc', { limit: 2 })
    const reading = reader.read(n)
    feed(reader, 'defghi')
    reader.feedEof()
    expect(await asText(reading)).toBe('abcdefghi')
    expect(await reader.read(n)).toHaveLength(0)
  })

  test('to the end passes no more than a limit that is given, and removes nothing', async () => {
    const reader = open('abcdef')
    expect(await rejected(reader.read(-1, { limit: 5 }))).toMatchObject({
      code: 'LIMIT_OVERRUN',
      consumed: 5,
    })
    expect(await asText(reader.read(6))).toBe('abcdef')
  })

  test('at the end is empty', async () => {
    const reader = open('a')
    reader.feedEof()
    expect(reader.atEof()).toBe(false)
    expect(await asText(reader.read(5))).toBe('a')
    expect(reader.atEof()).toBe(true)
    expect(await reader.read(5)).toHaveLength(0)
  })
})

describe('StreamReader.readExactly', () => {
  test.each([100, 2 * 16 + 1, 10 * 16])('is not bounded by the limit (%i)', async n => {
    const reader = open('', { limit: 16 })
    const reading = reader.readExactly(n)
    for (let at = 0; at < n; at++) feed(reader, 'x')
    expect(await reading).toHaveLength(n)
  })

  test('is incomplete where the end comes first, and empties the buffer', async () => {
    const reader = open('abc')
    const reading = rejected(reader.readExactly(5))
    reader.feedEof()
    const error = await reading
    expect(error).toBeInstanceOf(IncompleteReadError)
    expect(error).toMatchObject({
      partial: Buffer.from('abc'),
      expected: 5,
      message: '3 bytes read on a total of 5 expected bytes',
    })
    expect(reader.atEof()).toBe(true)
  })

  test('refuses a negative count before the error of the stream; 0 is empty', async () => {
    const reader = open('abc')
    expect(await reader.readExactly(0)).toHaveLength(0)
    reader.setException(new Error('broken'))
    expect(await rejected(reader.readExactly(-1))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'readexactly size can not be less than zero',
    })
    expect(await rejected(reader.readExactly(0))).toMatchObject({ message: 'broken' })
  })
})

describe('StreamReader.readUntil', () => {
  test.each<[limit: number, data: string, separator: string | string[], found: string]>([
    [7, '1234567\n', '\n', '1234567\n'],
    [100, 'ABCDEFG', ['DEF', 'BCDE'], 'ABCDE'],
    [100, 'some dataAAA', 'AAA', 'some dataAAA'],
  ])('with limit %i finds in %j by %j %j', async (limit, data, separator, found) => {
    expect(await asText(open(data, { limit }).readUntil(separator))).toBe(found)
  })

  test.each<[limit: number, data: string, separator: string | string[], message: string, consumed: number]>([
    [7, '12345678\n', '\n', overrun.found, 8],
    [7, '12345678', '\n', overrun.not, 8],
    [7, '123456789', 'AB', overrun.not, 8],
    [2, 'xxxAAyy', ['xAA', 'AA'], overrun.found, 3],
  ])('with limit %i overruns in %j by %j: %s, %i', async (limit, data, separator, message, consumed) => {
    const reader = open(data, { limit })
    const error = await rejected(reader.readUntil(separator))
    expect(error).toBeInstanceOf(LimitOverrunError)
    expect(error).toMatchObject({ message, consumed })
    expect(reader.buffered).toBe(data.length)
  })

  test.each([
    ['1234567', '\n'],
    ['12345678', 'AB'],
  ])('with limit 7 waits on after %j for %j', async (data, separator) => {
    const reader = open(data, { limit: 7 })
    const reading = reader.readUntil(separator)
    expect(reader.isWaiting).toBe(true)
    reader.feedEof()
    expect(await rejected(reading)).toMatchObject({ code: 'INCOMPLETE_READ', expected: null })
  })

  test('finds a separator in the last bytes before the end', async () => {
    const reader = open('abc\r')
    const reading = reader.readUntil('\r\n')
    feed(reader, '\nrest')
    reader.feedEof()
    expect(await asText(reading)).toBe('abc\r\n')
    const error = await rejected(reader.readUntil('\r\n'))
    expect(error).toMatchObject({
      partial: Buffer.from('rest'),
      message: '4 bytes read on a total of undefined expected bytes',
    })
    expect(reader.atEof()).toBe(true)
  })

  test('after an overrun and a skip of what it consumed loses nothing', async () => {
    const reader = open('123456789\r\nnext\r\n', { limit: 4 })
    const error = (await rejected(reader.readUntil('\r\n'))) as LimitOverrunError
    expect(await asText(reader.readExactly(error.consumed))).toBe('123456789')
    expect(await asText(reader.readUntil('\r\n'))).toBe('\r\n')
    expect(await asText(reader.readUntil('\r\n'))).toBe('next\r\n')
  })

  test('refuses what is no separator', async () => {
    const reader = open('abc')
    expect(await rejected(reader.readUntil([]))).toMatchObject({
      code: 'INVALID_SEPARATOR',
      message: 'Separator should contain at least one element',
    })
    expect(await rejected(reader.readUntil(['a', '']))).toMatchObject({
      message: 'Separator should be at least one-byte string',
    })
    expect(await rejected(reader.readUntil(new Set(['a']) as unknown as string))).toBeInstanceOf(TypeError)
  })

  test('takes a limit of its own', async () => {
    const reader = open('12345\n')
    expect(await rejected(reader.readUntil('\n', { limit: 4 }))).toMatchObject({ consumed: 5 })
    expect(await asText(reader.readUntil('\n', { limit: 5 }))).toBe('12345\n')
  })
})

describe('StreamReader.readLine', () => {
  test('gives what is left at the end, and then nothing', async () => {
    const reader = open('line\nrest')
    reader.feedEof()
    expect(await asText(reader.readLine())).toBe('line\n')
    expect(await asText(reader.readLine())).toBe('rest')
    expect(await reader.readLine()).toHaveLength(0)
  })

  test('drops an overlong line with its newline', async () => {
    const reader = open('too long\nnext\n', { limit: 4 })
    expect(await rejected(reader.readLine())).toMatchObject({ code: 'LIMIT_OVERRUN', message: overrun.found })
    expect(await asText(reader.readLine())).toBe('next\n')
  })

  test('drops the whole buffer where it finds no newline', async () => {
    const reader = open('too long', { limit: 4 })
    expect(await rejected(reader.readLine())).toMatchObject({ message: overrun.not })
    expect(reader.buffered).toBe(0)
    feed(reader, ' xx\nnext\n')
    expect(await asText(reader.readLine())).toBe(' xx\n')
  })
})

describe('StreamReader, read by two', () => {
  test.each([
    ['read()', (reader: StreamReader) => reader.read(1)],
    ['readexactly()', (reader: StreamReader) => reader.readExactly(1)],
    ['readuntil()', (reader: StreamReader) => reader.readUntil('x')],
    ['readuntil()', (reader: StreamReader) => reader.readLine()],
    ['peek()', (reader: StreamReader) => reader.peek(1)],
  ])('is READ_BUSY by the name of the second, %s', async (name, read) => {
    const reader = open()
    const first = reader.read(1)
    expect(await rejected(read(reader))).toMatchObject({
      code: 'READ_BUSY',
      message: `${name} called while another coroutine is already waiting for incoming data`,
    })
    feed(reader, 'a')
    expect(await asText(first)).toBe('a')
  })

  test('serves a second read from the buffer while the first waits on', async () => {
    const reader = open('abc')
    const first = reader.readExactly(5)
    expect(await asText(reader.read(2))).toBe('ab')
    feed(reader, 'defg')
    expect(await asText(first)).toBe('cdefg')
  })

  test.each([
    ['readUntil', (reader: StreamReader) => reader.readUntil('\n')],
    ['readUntil of a longer separator', (reader: StreamReader) => reader.readUntil('0\n')],
  ])('wakes a waiting %s although bytes before it are gone', async (_name, read) => {
    const reader = open('0123456789')
    const first = read(reader)
    expect(await asText(reader.read(10))).toBe('0123456789')
    feed(reader, 'a0\n')
    expect(await asText(first)).toBe('a0\n')
  })

  test('gives bytes to the call that they woke, whatever is called in the same turn', async () => {
    const reader = open()
    const first = reader.readLine()
    feed(reader, 'line\n')
    const second = reader.read(9)
    feed(reader, 'other')
    expect(await asText(first)).toBe('line\n')
    expect(await asText(second)).toBe('other')
  })
})

describe('StreamReader, given up on', () => {
  test.each([
    ['read', (reader: StreamReader, options: object) => reader.read(-1, options)],
    ['readExactly', (reader: StreamReader, options: object) => reader.readExactly(9, options)],
    ['readUntil', (reader: StreamReader, options: object) => reader.readUntil('xyz', options)],
    ['readLine', (reader: StreamReader, options: object) => reader.readLine(options)],
    ['peek', (reader: StreamReader, options: object) => reader.peek(9, options)],
  ])('%s leaves every byte readable', async (_name, read) => {
    const reader = open('abc')
    expect(await rejected(read(reader, { timeoutMs: 2 }))).toMatchObject({ code: 'READ_TIMEOUT' })
    expect(await rejected(read(reader, { signal: AbortSignal.abort('why') }))).toMatchObject({
      code: 'ABORTED',
      name: 'AbortError',
      cause: 'why',
    })
    const caller = new AbortController()
    const reading = rejected(read(reader, { signal: caller.signal }))
    feed(reader, 'de')
    caller.abort()
    expect(await reading).toMatchObject({ code: 'ABORTED' })
    expect(reader.interrupted).toBe(true)
    expect(reader.isWaiting).toBe(false)
    expect(await asText(reader.readExactly(5))).toBe('abcde')
    expect(reader.interrupted).toBe(true)
  })

  test('is served from the buffer even with a signal that is spent', async () => {
    expect(await asText(open('abc').read(3, { signal: AbortSignal.abort() }))).toBe('abc')
  })
})

describe('StreamReader, broken', () => {
  test('fails the waiting read and every later one, with bytes buffered too', async () => {
    const reader = open('abc')
    const waiting = rejected(reader.readExactly(9))
    const broken = new Error('broken')
    reader.setException(broken)
    expect(await waiting).toBe(broken)
    for (const read of [
      reader.read(1),
      reader.read(),
      reader.readExactly(1),
      reader.readLine(),
      reader.peek(1),
    ])
      expect(await rejected(read)).toBe(broken)
    expect(reader.exception()).toBe(broken)
    expect(reader.atEof()).toBe(false)
    expect(reader.buffered).toBe(3)
  })

  test('with drain-then-raise gives the bytes that came first', async () => {
    const broken = new Error('broken')
    const reader = open('one\ntwo', { onReset: 'drain-then-raise' })
    reader.setException(broken)
    expect(await asText(reader.readLine())).toBe('one\n')
    expect(await rejected(reader.readLine())).toBe(broken)
    expect(await rejected(reader.read(1, { onReset: 'raise' }))).toBe(broken)
    expect(await asText(reader.read(9))).toBe('two')
    expect(await rejected(reader.read(9))).toBe(broken)
  })
})

describe('StreamReader with discard-line', () => {
  const discard = { onOverrun: 'discard-line' } as const

  test('reports an overlong line once, drops all of it however it comes, and reads the next', async () => {
    const reader = open('much too', { limit: 4 })
    expect(await rejected(reader.readLine(discard))).toMatchObject({
      code: 'LIMIT_OVERRUN',
      message: overrun.not,
      consumed: 8,
    })
    const reading = reader.readLine(discard)
    feed(reader, ' long, much')
    feed(reader, ' too long\nok\n')
    expect(await asText(reading)).toBe('ok\n')
    feed(reader, 'too long\ntoo long again\nfine\n')
    for (const consumed of [8, 14])
      expect(await rejected(reader.readLine(discard))).toMatchObject({ message: overrun.found, consumed })
    expect(await asText(reader.readLine(discard))).toBe('fine\n')
  })

  test('drops up to the separators that were looked for, a split one too', async () => {
    const reader = open('much too long\r', { limit: 4 })
    expect(await rejected(reader.readUntil(['\r\n', ';'], discard))).toMatchObject({ consumed: 13 })
    expect(await asText(reader.peek(1))).toBe('\r')
    feed(reader, '\nok;')
    expect(await asText(reader.readUntil(';'))).toBe('ok;')
  })

  test('gives no rest of a discarded line as the last one', async () => {
    const reader = open('much too long', { limit: 4 })
    expect(await rejected(reader.readLine(discard))).toMatchObject({ code: 'LIMIT_OVERRUN' })
    const reading = reader.readLine(discard)
    feed(reader, 'end')
    reader.feedEof()
    expect(await reading).toHaveLength(0)
  })

  test('goes on discarding after it was given up on in the middle of a line', async () => {
    const reader = open('much too long', { limit: 4 })
    expect(await rejected(reader.readLine(discard))).toMatchObject({ code: 'LIMIT_OVERRUN' })
    expect(await rejected(reader.readLine({ ...discard, timeoutMs: 2 }))).toMatchObject({
      code: 'READ_TIMEOUT',
    })
    feed(reader, 'end\nok\n')
    expect(await asText(reader.readLine(discard))).toBe('ok\n')
  })

  test('leaves what is left of the line to a read of another kind', async () => {
    const reader = open('much too long', { limit: 4 })
    expect(await rejected(reader.readLine(discard))).toMatchObject({ code: 'LIMIT_OVERRUN' })
    feed(reader, 'end\nok\n')
    expect(await asText(reader.readExactly(2))).toBe('en')
    expect(await asText(reader.readLine())).toBe('d\n')
  })
})

describe('StreamReader as an iterator', () => {
  test('gives the lines, an unterminated last one too', async () => {
    const reader = open('a\nb\n\nc')
    reader.feedEof()
    const lines: string[] = []
    for await (const line of reader) lines.push(line.toString())
    expect(lines).toEqual(['a\n', 'b\n', '\n', 'c'])
  })

  test('lineBatches gives the lines that are there, and loses none before an overlong one', async () => {
    const reader = open('a\nb\nc', { limit: 4 })
    const batches = reader.lineBatches()
    expect((await batches.next()).value?.map(String)).toEqual(['a\n', 'b\n'])
    feed(reader, '\nd\nmuch too long\ne\n')
    expect((await batches.next()).value?.map(String)).toEqual(['c\n', 'd\n'])
    expect(await rejected(batches.next())).toMatchObject({ code: 'LIMIT_OVERRUN' })
    expect(await asText(reader.readLine())).toBe('e\n')
    reader.feedEof()
    expect(await reader.lineBatches().next()).toEqual({ value: undefined, done: true })
  })

  test('lineBatches is bounded', async () => {
    const reader = open('x\n'.repeat(LIMITS.lineBatchMax + 5))
    expect((await reader.lineBatches().next()).value).toHaveLength(LIMITS.lineBatchMax)
  })

  test('chunks gives the bytes as they come, at most the limit of them', async () => {
    const reader = open('abcdefg', { limit: 3 })
    reader.feedEof()
    const chunks: string[] = []
    for await (const chunk of reader.chunks()) chunks.push(chunk.toString())
    expect(chunks).toEqual(['abc', 'def', 'g'])
  })

  test('chunks with reuse gives each where the one before it lay', async () => {
    const reader = open('abcdefg', { limit: 3 })
    reader.feedEof()
    const chunks: Buffer[] = []
    const texts: string[] = []
    for await (const chunk of reader.chunks({ reuse: true })) {
      chunks.push(chunk)
      texts.push(chunk.toString())
    }
    expect(texts).toEqual(['abc', 'def', 'g'])
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBe(1)
    expect(chunks.map(({ byteOffset }) => byteOffset)).toEqual([0, 0, 0])
    const badly = reader.chunks({ reuse: 'yes' as never })
    await expect(badly.next()).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })
})

describe('StreamReader', () => {
  test('peeks without taking, and gives less at the end', async () => {
    const reader = open('abc')
    expect(await asText(reader.peek(2))).toBe('ab')
    const peeking = reader.peek(9)
    reader.feedEof()
    expect(await asText(peeking)).toBe('abc')
    expect(await asText(reader.read())).toBe('abc')
  })

  test('is fed as asyncio feeds', () => {
    const reader = open()
    reader.feedData(Buffer.alloc(0))
    reader.feedEof()
    expect(() => reader.feedData(Buffer.alloc(0))).toThrow('feed_data after feed_eof')
    expect(thrown(() => feed(reader, 'a'))).toMatchObject({ message: 'feed_data after feed_eof' })
  })

  test.each([0, -1])('refuses a limit of %i', limit => {
    expect(thrown(() => new StreamReader({ limit }))).toMatchObject({ message: 'Limit cannot be <= 0' })
  })

  test('is lent to one other, counts what that took, and is READ_BUSY meanwhile', async () => {
    const reader = open('abcdef')
    const lending = reader.lend(async () => {
      expect(await rejected(reader.read(1))).toMatchObject({ code: 'READ_BUSY' })
      return { count: 4, interrupted: false, outcome: { ok: true, value: 'parsed' } }
    })
    expect(reader.isWaiting).toBe(true)
    expect(await rejected(reader.lend(() => Promise.reject(new Error('never'))))).toMatchObject({
      code: 'READ_BUSY',
    })
    expect(await lending).toBe('parsed')
    expect(reader.offset).toBe(4)
    expect(reader.isWaiting).toBe(false)
  })

  test('counts what a borrower took that failed, and is interrupted where it says so', async () => {
    const reader = open('abcdef')
    const error = new Error('cannot parse')
    const outcome = { ok: false, error } as const
    const failing = reader.lend(async () => ({ count: 2, interrupted: true, outcome }))
    expect(await rejected(failing)).toBe(error)
    expect(reader.offset).toBe(2)
    expect(reader.interrupted).toBe(true)
  })
})
