/** Bytes that are put back, over memory and over a channel. */
import { describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { StreamReader, type StreamReaderOptions } from '../../../src/streams/reading/stream-reader.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

type Opened = {
  readonly reader: StreamReader
  readonly feed: (text: string) => void
  readonly end: () => void
}

const places: readonly [name: string, open: (options?: StreamReaderOptions) => Opened][] = [
  [
    'memory',
    options => {
      const reader = new StreamReader(options)
      return { reader, feed: text => reader.feedData(Buffer.from(text)), end: () => reader.feedEof() }
    },
  ],
  [
    'a channel',
    options => {
      const pair = new ChannelPair({ inboundBytes: 16, outboundBytes: 16 })
      const reader = new StreamReader(options, pair.source)
      return { reader, feed: text => pair.receiveAll(text), end: () => pair.endInbound('fin') }
    },
  ],
]

const text = async (reading: Promise<Buffer>): Promise<string> => (await reading).toString()

describe.each(places)('StreamReader.unread over %s', (_name, open) => {
  test('makes the bytes the next ones, and the offset goes back', async () => {
    const { reader, feed } = open()
    feed('one\ntwo\n')
    const line = await reader.readLine()
    reader.unread(line)
    expect([reader.offset, reader.buffered]).toEqual([0, 8])
    expect(await text(reader.readExactly(6))).toBe('one\ntw')
    reader.unread(Buffer.from('\ntw'))
    expect([reader.offset, await text(reader.readLine()), await text(reader.readLine())]).toEqual([
      3,
      '\n',
      'two\n',
    ])
  })

  test('keeps a copy, and takes other bytes than were read', async () => {
    const { reader, feed } = open()
    feed('hello')
    await reader.read(5)
    const bytes = Buffer.from('HE')
    reader.unread(bytes)
    bytes.fill(0)
    reader.unread(Buffer.from('<'))
    feed('!')
    expect(await text(reader.read(9))).toBe('<HE!')
    expect(reader.offset).toBe(6)
  })

  test('in several steps, half of them read again in between, loses and doubles nothing', async () => {
    const { reader, feed, end } = open()
    feed('abcdefghij')
    await reader.read(10)
    reader.unread(Buffer.from('hij'))
    expect(await text(reader.read(1))).toBe('h')
    reader.unread(Buffer.from('efgh'))
    reader.unread(Buffer.from(''))
    expect(await text(reader.peek(4))).toBe('efgh')
    feed('klmno')
    end()
    expect(await text(reader.read())).toBe('efghijklmno')
    expect(reader.offset).toBe(15)
  })

  test('after the end gives the stream bytes again, and then its end', async () => {
    const { reader, feed, end } = open()
    feed('abc')
    end()
    const all = await reader.read()
    expect(reader.atEof()).toBe(true)
    reader.unread(all)
    expect(reader.atEof()).toBe(false)
    expect(await text(reader.readLine())).toBe('abc')
    expect(reader.atEof()).toBe(true)
  })

  test('refuses more than was read, while a read waits, above its bound, and what is no bytes', async () => {
    const { reader, feed } = open()
    feed('abc')
    await reader.read(3)
    expect(thrown(() => reader.unread(Buffer.from('xabc')))).toMatchObject({ code: 'INVALID_REQUEST' })
    const reading = reader.read(1)
    expect(thrown(() => reader.unread(Buffer.from('c')))).toMatchObject({ code: 'READ_BUSY' })
    feed('d')
    expect(await text(reading)).toBe('d')
    expect(() => reader.unread('d' as unknown as Uint8Array)).toThrow(TypeError)
    expect([reader.offset, reader.buffered]).toEqual([4, 0])
  })

  test('leaves a line that was too long, and is being skipped, to be read as it is', async () => {
    const { reader, feed } = open({ limit: 4 })
    feed('ok\n')
    const line = await reader.readLine()
    feed('much too')
    const discard = { onOverrun: 'discard-line' } as const
    await expect(reader.readLine(discard)).rejects.toMatchObject({ code: 'LIMIT_OVERRUN' })
    reader.unread(line)
    feed(' l\n')
    expect(await text(reader.readLine(discard))).toBe('ok\n')
    expect(await text(reader.readLine(discard))).toBe(' l\n')
  })
})

test('StreamReader.unread has a bound until the bytes are read again', async () => {
  const reader = new StreamReader()
  const most = LIMITS.unreadBytesMax
  reader.feedData(Buffer.alloc(most + 2))
  await reader.readExactly(most + 2)
  reader.unread(Buffer.alloc(most - 1))
  expect(thrown(() => reader.unread(Buffer.alloc(2)))).toMatchObject({ code: 'QUEUE_FULL' })
  reader.unread(Buffer.alloc(1))
  await reader.read(2)
  reader.unread(Buffer.alloc(2))
  expect([reader.offset, reader.buffered]).toEqual([2, most])
})

test('StreamReader.unread counts in flow control', async () => {
  const calls: string[] = []
  const transport = { pauseReading: () => calls.push('pause'), resumeReading: () => calls.push('resume') }
  const reader = new StreamReader({ limit: 4, transport })
  reader.feedData(Buffer.alloc(8))
  const bytes = await reader.read(2)
  reader.feedData(Buffer.alloc(2))
  expect(calls).toEqual([])
  reader.unread(bytes)
  expect(calls).toEqual(['pause'])
  await reader.read(6)
  expect(calls).toEqual(['pause', 'resume'])
})

test('StreamReader.unread on a stream that broke is its error, unless what was received comes first', async () => {
  const broken = new Error('broken')
  const strict = new StreamReader()
  const lenient = new StreamReader({ onReset: 'drain-then-raise' })
  for (const reader of [strict, lenient]) {
    reader.feedData(Buffer.from('abc'))
    await reader.read(2)
    reader.setException(broken)
  }
  expect(thrown(() => strict.unread(Buffer.from('b')))).toBe(broken)
  lenient.unread(Buffer.from('b'))
  expect(`${await lenient.read(9)}`).toBe('bc')
  await expect(lenient.read(9)).rejects.toBe(broken)
})

describe('a channel whose bytes were put back', () => {
  const open = (): { pair: ChannelPair; reader: StreamReader } => {
    const pair = new ChannelPair({ inboundBytes: 16, outboundBytes: 16 })
    return { pair, reader: new StreamReader({ onReset: 'drain-then-raise' }, pair.source) }
  }

  test('gives them to the thread that it is lent to', async () => {
    const { pair, reader } = open()
    pair.receiveAll('abcdef')
    reader.unread(await reader.read(4))
    const position = pair.source.suspend()
    expect(Buffer.concat(position.aside).toString()).toBe('abcd')
    pair.source.resume(position)
    expect(`${await reader.read(9)}`).toBe('abcdef')
  })

  test('keeps them when the connection is gone, and not when the lease is over', async () => {
    const gone = open()
    gone.pair.receiveAll('abc')
    gone.reader.unread(await gone.reader.read(2))
    gone.pair.source.detach({ kind: 'closed' })
    gone.reader.unread(await gone.reader.read(1))
    expect(`${await gone.reader.read()}`).toBe('abc')
    const over = open()
    const ended = new Error('released')
    over.pair.receiveAll('abc')
    await over.reader.read(2)
    over.pair.source.revoke({ kind: 'failed', error: ended })
    expect(thrown(() => over.reader.unread(Buffer.from('b')))).toBe(ended)
    expect(over.reader.buffered).toBe(0)
  })

  test('is asked for what is missing beyond them', async () => {
    const { pair, reader } = open()
    pair.receiveAll('abc')
    reader.unread(await reader.read(3))
    const reading = reader.readExactly(30)
    pair.receiveAll('defghijklmnopqrs')
    pair.receiveAll('tuvwxyz0123')
    expect(`${await reading}`).toBe('abcdefghijklmnopqrstuvwxyz0123')
  })
})

test('a waiting read finds its bytes although others before them are put back and taken by nobody', async () => {
  const pair = new ChannelPair({ inboundBytes: 16, outboundBytes: 16 })
  const reader = new StreamReader({}, pair.source)
  pair.receiveAll('ab')
  reader.unread(await reader.read(2))
  const wake = vi.fn()
  expect(pair.source.request(3, wake)).toBe(true)
  pair.receiveAll('c')
  expect(wake).toHaveBeenCalledOnce()
})
