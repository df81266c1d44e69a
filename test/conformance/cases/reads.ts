/** read, readline and EOF, after CPython's test_streams.py. */
import { expect } from 'vitest'
import { asText, asyncLink, failed, holding, rejected, testCase } from '../links.ts'
import type { Case } from '../transport.ts'

const DATA = 'line1\nline2\nline3\n'

export const readCases: readonly Case[] = [
  testCase('test_feed_empty_data: nothing is fed', ['fed'], async transport => {
    const { reader } = await asyncLink(transport)
    reader.feedData(Buffer.alloc(0))
    expect(reader.buffered).toBe(0)
  }),
  testCase('test_feed_nonempty_data: bytes are appended, as a copy', ['fed'], async transport => {
    const { reader } = await asyncLink(transport)
    const bytes = Buffer.from(DATA)
    reader.feedData(bytes)
    bytes.fill(0)
    expect(await asText(reader.read(DATA.length))).toBe(DATA)
  }),
  testCase('feed_data after feed_eof is refused, empty or not', ['fed'], async transport => {
    const { reader } = await asyncLink(transport)
    reader.feedEof()
    reader.feedEof()
    for (const text of ['a', ''])
      expect(() => reader.feedData(Buffer.from(text))).toThrow('feed_data after feed_eof')
  }),
  testCase('test_read_zero: empty at once', [], async transport => {
    const { reader } = await holding(transport, DATA)
    expect(await reader.read(0)).toHaveLength(0)
    expect(await asText(reader.read(100))).toBe(DATA)
  }),
  testCase('test_read: what comes, as soon as one byte is there', [], async transport => {
    const link = await transport.open()
    const reading = link.reader.read(30)
    await link.arrive(DATA)
    expect(await asText(reading)).toBe(DATA)
  }),
  testCase('test_read_line_breaks: as much as was asked for, not a line', [], async transport => {
    const { reader } = await holding(transport, 'line1\nline2')
    expect(await asText(reader.read(5))).toBe('line1')
    expect(await asText(reader.read(100))).toBe('\nline2')
  }),
  testCase('test_read_eof: empty at the end', [], async transport => {
    const link = await transport.open()
    const reading = link.reader.read(1_024)
    await link.finish()
    expect(await reading).toHaveLength(0)
    expect(await link.reader.read(1_024)).toHaveLength(0)
  }),
  testCase('test_read_until_eof: everything, joined', [], async transport => {
    const link = await transport.open({ limit: 4 })
    const reading = link.reader.read(-1)
    await link.arrive('chunk1\n')
    await link.arrive('chunk2')
    await link.finish()
    expect(await asText(reading)).toBe('chunk1\nchunk2')
    expect(await link.reader.read()).toHaveLength(0)
  }),
  testCase('any negative count reads to the end', [], async transport => {
    const link = await holding(transport, DATA)
    await link.finish()
    expect(await asText(link.reader.read(-7))).toBe(DATA)
  }),
  testCase('test_read_exception: every read throws what broke the stream', [], async transport => {
    const link = await holding(transport, 'line\n')
    expect(await asText(link.reader.read(2))).toBe('li')
    await link.break()
    await rejected(link.reader.read(2))
    await rejected(link.reader.read())
  }),
  testCase('test_invalid_limit: refused unless above 0', [], async transport => {
    for (const limit of [0, -1, Number.NaN])
      expect(await failed(() => transport.open({ limit }))).toMatchObject({
        code: 'INVALID_REQUEST',
        message: 'Limit cannot be <= 0',
      })
  }),
  testCase('test_read_limit: read is not bounded by the limit', [], async transport => {
    const { reader } = await holding(transport, 'chunk', { limit: 3 })
    expect(await asText(reader.read(5))).toBe('chunk')
  }),
  testCase('test_read_all_from_pipe_reader: to the end with a limit of 1', [], async transport => {
    const link = await holding(transport, 'data', { limit: 1 })
    await link.finish()
    expect(await asText(link.reader.read(-1))).toBe('data')
  }),
  testCase('half a byte is a TypeError', [], async transport => {
    const { reader } = await holding(transport, DATA)
    for (const reading of [reader.read(1.5), reader.readExactly(1.5), reader.peek(Number.NaN)])
      expect(await rejected(reading)).toBeInstanceOf(TypeError)
    expect(await asText(reader.read(100))).toBe(DATA)
  }),
  testCase('test_readline: a line over several chunks; the rest stays', [], async transport => {
    const link = await holding(transport, 'chunk1 ')
    const line = link.reader.readLine()
    await link.arrive('chunk2 ')
    await link.arrive('chunk3 \n chunk4')
    expect(await asText(line)).toBe('chunk1 chunk2 chunk3 \n')
    expect(await asText(link.reader.read(100))).toBe(' chunk4')
  }),
  testCase(
    'test_readline_limit_with_existing_data: what is over the limit is dropped',
    [],
    async transport => {
      const link = await holding(transport, 'li', { limit: 3 })
      await link.arrive('ne1\nline2\n')
      for (let line = 0; line < 2; line++)
        expect(await rejected(link.reader.readLine())).toMatchObject({
          code: 'LIMIT_OVERRUN',
          message: 'Separator is found, but chunk is longer than limit',
        })
      await link.finish()
      expect(await link.reader.readLine()).toHaveLength(0)
    },
  ),
  testCase('test_readline_limit: without a newline the whole buffer is dropped', [], async transport => {
    const link = await holding(transport, 'chunk1chunk2', { limit: 4 })
    expect(await rejected(link.reader.readLine())).toMatchObject({
      code: 'LIMIT_OVERRUN',
      message: 'Separator is not found, and chunk exceed the limit',
    })
    await link.arrive('c3\n')
    expect(await asText(link.reader.readLine())).toBe('c3\n')
  }),
  testCase('test_readline_nolimit_nowait: lines that are there', [], async transport => {
    const { reader } = await holding(transport, DATA)
    expect(await asText(reader.readLine())).toBe('line1\n')
    expect(await asText(reader.read(100))).toBe('line2\nline3\n')
  }),
  testCase('test_readline_eof: the unterminated last line', [], async transport => {
    const link = await holding(transport, 'some data')
    await link.finish()
    expect(await asText(link.reader.readLine())).toBe('some data')
  }),
  testCase('test_readline_empty_eof: empty', [], async transport => {
    const link = await transport.open()
    await link.finish()
    expect(await link.reader.readLine()).toHaveLength(0)
  }),
  testCase('test_readline_read_byte_count: a line, then a count', [], async transport => {
    const { reader } = await holding(transport, DATA)
    await reader.readLine()
    expect(await asText(reader.read(7))).toBe('line2\nl')
  }),
  testCase('test_readline_exception: a line, then the error', [], async transport => {
    const link = await holding(transport, 'line\n')
    expect(await asText(link.reader.readLine())).toBe('line\n')
    await link.break()
    await rejected(link.reader.readLine())
  }),
  testCase('test_at_eof: only when all was read', [], async transport => {
    const link = await transport.open()
    expect(await link.reader.atEof()).toBe(false)
    await link.arrive('some data\n')
    expect(await link.reader.atEof()).toBe(false)
    await link.finish()
    expect(await link.reader.atEof()).toBe(false)
    await link.reader.readLine()
    expect(await link.reader.atEof()).toBe(true)
  }),
  testCase('test___anext__: lines to the end, an unterminated last one too', [], async transport => {
    const link = await holding(transport, 'a\nb\n\nc')
    await link.finish()
    const lines: string[] = []
    for await (const line of link.reader) lines.push(line.toString())
    expect(lines).toEqual(['a\n', 'b\n', '\n', 'c'])
  }),
  testCase('the error of a long line ends the loop, and the next one goes on', [], async transport => {
    const link = await holding(transport, 'a\nlong line\nb\n', { limit: 4 })
    await link.finish()
    const lines: string[] = []
    const loop = async (): Promise<void> => {
      for await (const line of link.reader) lines.push(line.toString())
    }
    expect(await rejected(loop())).toMatchObject({ code: 'LIMIT_OVERRUN' })
    await loop()
    expect(lines).toEqual(['a\n', 'b\n'])
  }),
]
