/** Errors from below, reads that are given up on, and two reads at once. */
import { expect } from 'vitest'
import type { ReadOptions, StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { asText, asyncLink, holding, isSettled, rejected, testCase } from '../links.ts'
import type { Case } from '../transport.ts'

const BUSY = 'called while another coroutine is already waiting for incoming data'

type Call = (reader: StreamReader, options?: ReadOptions) => Promise<Buffer>

/** Calls that wait although three bytes, `abc`, are there. */
const WAITING: ReadonlyArray<readonly [name: string, call: Call]> = [
  ['read(-1)', (reader, options) => reader.read(-1, options)],
  ['readexactly', (reader, options) => reader.readExactly(9, options)],
  ['readuntil', (reader, options) => reader.readUntil('xyz', options)],
  ['readline', (reader, options) => reader.readLine(options)],
  ['peek', (reader, options) => reader.peek(9, options)],
]

/** Calls by the name that a busy reader reports them with. */
const BUSY_CALLS: ReadonlyArray<readonly [name: string, call: Call]> = [
  ['read()', reader => reader.read(1)],
  ['read()', reader => reader.read()],
  ['readexactly()', reader => reader.readExactly(1)],
  ['readuntil()', reader => reader.readUntil('x')],
  ['readuntil()', reader => reader.readLine()],
]

export const waitCases: readonly Case[] = [
  testCase('test_exception: none, then the one', [], async transport => {
    const link = await transport.open()
    expect(await link.reader.exception()).toBeNull()
    await link.break()
    expect(await link.reader.exception()).toBeInstanceOf(Error)
  }),
  testCase('test_exception_waiter: the read that waits fails', [], async transport => {
    const link = await transport.open()
    const reading = rejected(link.reader.readLine())
    await link.break()
    expect((await reading).message).toBe((await link.reader.exception())?.message)
  }),
  testCase(
    'test_exception_cancel: a read that was given up on is not failed again',
    ['async'],
    async transport => {
      const link = await asyncLink(transport)
      const caller = new AbortController()
      const reading = rejected(link.reader.readLine({ signal: caller.signal }))
      caller.abort()
      await link.break()
      expect(await reading).toMatchObject({ code: 'ABORTED' })
    },
  ),
  testCase('with bytes buffered every read throws, and at_eof stays false', [], async transport => {
    const link = await holding(transport, 'abc\n')
    await link.break()
    const { reader } = link
    for (const call of [
      () => reader.read(1),
      () => reader.read(),
      () => reader.read(0),
      () => reader.readExactly(0),
      () => reader.readLine(),
    ])
      expect((await rejected(call())).message).toBe((await reader.exception())?.message)
    expect(await rejected(reader.readExactly(-1))).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await rejected(reader.readUntil(''))).toMatchObject({ code: 'INVALID_SEPARATOR' })
    expect(await reader.atEof()).toBe(false)
  }),
  testCase('an error stays whatever is fed after it; a second one replaces it', ['fed'], async transport => {
    const { reader } = await asyncLink(transport)
    const [one, two] = [new Error('one'), new Error('two')]
    reader.setException(one)
    reader.feedData(Buffer.from('abc'))
    expect(await rejected(reader.read(1))).toBe(one)
    reader.feedEof()
    expect(await rejected(reader.readLine())).toBe(one)
    reader.setException(two)
    expect(await rejected(reader.readLine())).toBe(two)
    expect(reader.atEof()).toBe(false)
  }),
  testCase('at_eof tells the end although an error came after it', ['fed'], async transport => {
    const { reader } = await asyncLink(transport)
    reader.feedEof()
    reader.setException(new Error('late'))
    expect(reader.atEof()).toBe(true)
    expect(await rejected(reader.read())).toMatchObject({ message: 'late' })
  }),
  testCase('a reset is CONNECTION_RESET, and no end', ['socket'], async transport => {
    const link = await transport.open()
    const reading = rejected(link.reader.read(1))
    await link.break()
    expect(await reading).toMatchObject({ code: 'CONNECTION_RESET', retryable: false })
    expect(await link.reader.atEof()).toBe(false)
  }),
  ...WAITING.map(([name, call]) =>
    testCase(
      `${name} that is cancelled or timed out leaves every byte readable`,
      ['async'],
      async transport => {
        const link = await asyncLink(transport, 'abc')
        const { reader } = link
        expect(await rejected(call(reader, { timeoutMs: 5 }))).toMatchObject({ code: 'READ_TIMEOUT' })
        expect(await rejected(call(reader, { signal: AbortSignal.abort('why') }))).toMatchObject({
          code: 'ABORTED',
          name: 'AbortError',
          cause: 'why',
        })
        const caller = new AbortController()
        const reading = rejected(call(reader, { signal: caller.signal }))
        await link.arrive('de')
        caller.abort()
        expect(await reading).toMatchObject({ code: 'ABORTED' })
        expect(await asText(reader.readExactly(5))).toBe('abcde')
      },
    ),
  ),
  testCase(
    'readexactly, readuntil and read(-1) that time out leave every byte readable',
    [],
    async transport => {
      const { reader } = await holding(transport, 'abc')
      for (const reading of [
        () => reader.readExactly(9, { timeoutMs: 5 }),
        () => reader.readUntil('x', { timeoutMs: 5 }),
        () => reader.read(-1, { timeoutMs: 5 }),
        () => reader.peek(4, { timeoutMs: 5 }),
      ])
        expect(await rejected(reading())).toMatchObject({ code: 'READ_TIMEOUT' })
      expect(await asText(reader.read(9))).toBe('abc')
    },
  ),
  testCase('a second waiting read is READ_BUSY by its own name', ['async'], async transport => {
    const link = await asyncLink(transport)
    const first = link.reader.read(1)
    for (const [name, call] of BUSY_CALLS)
      expect(await rejected(call(link.reader))).toMatchObject({
        code: 'READ_BUSY',
        message: `${name} ${BUSY}`,
      })
    await link.arrive('a')
    expect(await asText(first)).toBe('a')
  }),
  testCase('a second read is served from the buffer while the first waits', ['async'], async transport => {
    const link = await asyncLink(transport, 'abc')
    const first = link.reader.readExactly(5)
    expect(await asText(link.reader.read(2))).toBe('ab')
    await link.arrive('defg')
    expect(await asText(first)).toBe('cdefg')
  }),
  testCase(
    'a waiting read to the end has all that came: a second one is READ_BUSY',
    ['async'],
    async transport => {
      const link = await asyncLink(transport, 'abc')
      const first = link.reader.read()
      for (const [name, call] of BUSY_CALLS)
        expect(await rejected(call(link.reader))).toMatchObject({ message: `${name} ${BUSY}` })
      expect(await link.reader.read(0)).toHaveLength(0)
      await link.finish()
      expect(await asText(first)).toBe('abc')
    },
  ),
  testCase('a search finds its separator although bytes before it were taken', ['async'], async transport => {
    const link = await asyncLink(transport, '0123')
    const first = link.reader.readUntil('3\n')
    expect(await asText(link.reader.read(3))).toBe('012')
    await link.arrive('\n')
    expect(await asText(first)).toBe('3\n')
  }),
  testCase('no steal: bytes go to the call that waited for them', ['async'], async transport => {
    const link = await asyncLink(transport)
    const first = link.reader.readLine()
    // They are there, but this thread has not heard of it: nothing but this call was done since.
    await link.arrive('line\nmore')
    const second = link.reader.read(100)
    expect(await asText(first)).toBe('line\n')
    expect(await asText(second)).toBe('more')
  }),
  testCase('no steal: an overlong line is dropped before the next call', ['async'], async transport => {
    const link = await asyncLink(transport, '', { limit: 4 })
    const first = rejected(link.reader.readLine())
    await link.arrive('too long\nok\n')
    const second = link.reader.read(100)
    expect(await first).toMatchObject({ code: 'LIMIT_OVERRUN' })
    expect(await asText(second)).toBe('ok\n')
  }),
  testCase('a read that waits is not settled before its bytes are there', [], async transport => {
    const link = await holding(transport, 'abc')
    const reading = link.reader.readExactly(6)
    await link.arrive('de')
    expect(await isSettled(reading)).toBe(false)
    await link.arrive('f')
    expect(await asText(reading)).toBe('abcdef')
  }),
]
