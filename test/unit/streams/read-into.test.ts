import { describe, expect, test } from 'vitest'
import { allocateDoorbell } from '../../../src/channel/doorbell.ts'
import { allocateLoan, LoanWords } from '../../../src/channel/loan-words.ts'
import { BlockingReader } from '../../../src/streams/blocking/blocking-reader.ts'
import { BlockingChannelSource } from '../../../src/streams/channel-ends/blocking-ends.ts'
import { borrowSource } from '../../../src/streams/channel-ends/lent-source.ts'
import { StreamReader, type StreamReaderOptions } from '../../../src/streams/reading/stream-reader.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

type Place = {
  readonly reader: StreamReader
  readonly feed: (text: string) => void
  readonly end: () => void
  readonly fail: (error: Error) => void
}

const SIZES = { inboundBytes: 16, outboundBytes: 16 }

const places: Array<[name: string, open: (options?: StreamReaderOptions) => Place]> = [
  [
    'memory',
    options => {
      const reader = new StreamReader(options)
      return {
        reader,
        feed: text => reader.feedData(Buffer.from(text)),
        end: () => reader.feedEof(),
        fail: error => reader.setException(error),
      }
    },
  ],
  [
    'a channel',
    options => {
      const pair = new ChannelPair(SIZES)
      const reader = new StreamReader(options, pair.source)
      const fail = (error: Error): void => pair.source.detach({ kind: 'failed', error })
      return { reader, feed: text => pair.receiveAll(text), end: () => pair.endInbound('fin'), fail }
    },
  ],
]

describe.each(places)('StreamReader.readInto over %s', (_name, open) => {
  test('fills what is there into the target, and no more than the target', async () => {
    const { reader, feed } = open()
    feed('abcdef')
    const target = Buffer.alloc(8, '.')
    expect(await reader.readInto(target.subarray(2, 6))).toBe(4)
    expect([`${target}`, reader.offset, reader.buffered]).toEqual(['..abcd..', 4, 2])
    expect(await reader.readInto(target)).toBe(2)
    expect(`${target}`).toBe('efabcd..')
  })

  test('goes round the end of a ring', async () => {
    const { reader, feed } = open()
    feed('0123456789')
    await reader.read(10)
    feed('abcdefghijkl')
    const target = new Uint8Array(12)
    expect(await reader.readInto(target)).toBe(12)
    expect(Buffer.from(target).toString()).toBe('abcdefghijkl')
  })

  test('takes what was put back first', async () => {
    const { reader, feed } = open()
    feed('abc')
    reader.unread(await reader.read(2))
    const target = Buffer.alloc(3)
    expect(await reader.readInto(target)).toBe(3)
    expect(`${target}`).toBe('abc')
  })

  test('waits for the first byte, and is 0 at the end alone', async () => {
    const { reader, feed, end } = open()
    const target = Buffer.alloc(4)
    const reading = reader.readInto(target)
    await expect(reader.readInto(target)).rejects.toMatchObject({ code: 'READ_BUSY' })
    feed('x')
    expect([await reading, target[0]]).toEqual([1, 0x78])
    const last = reader.readInto(target)
    end()
    expect([await last, await reader.readInto(target), reader.atEof()]).toEqual([0, 0, true])
  })

  test('with an empty target is 0 at once', async () => {
    const { reader } = open()
    expect(await reader.readInto(new Uint8Array())).toBe(0)
  })

  test('that ends by time or signal removes nothing and writes nothing later', async () => {
    const { reader, feed } = open()
    const target = Buffer.alloc(4)
    await expect(reader.readInto(target, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'READ_TIMEOUT' })
    const stop = new AbortController()
    const reading = reader.readInto(target, { signal: stop.signal })
    stop.abort()
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
    feed('late')
    expect([target.equals(Buffer.alloc(4)), reader.buffered]).toEqual([true, 4])
  })

  test('refuses a target that is detached meanwhile, and removes nothing', async () => {
    const { reader, feed } = open()
    const target = new Uint8Array(4)
    const reading = reader.readInto(target)
    structuredClone(target.buffer, { transfer: [target.buffer] })
    feed('data')
    await expect(reading).rejects.toThrow(TypeError)
    expect(reader.buffered).toBe(4)
  })

  test('refuses what is no Uint8Array', async () => {
    const { reader } = open()
    for (const target of ['text', new DataView(new ArrayBuffer(4)), new ArrayBuffer(4), null])
      await expect(reader.readInto(target as unknown as Uint8Array)).rejects.toThrow(TypeError)
  })

  test('raises what broke the stream, after what came before it where asked to', async () => {
    const { reader, feed, fail } = open({ onReset: 'drain-then-raise' })
    feed('ab')
    const broken = new Error('broken')
    fail(broken)
    const target = Buffer.alloc(4)
    await expect(reader.readInto(target, { onReset: 'raise' })).rejects.toBe(broken)
    expect(await reader.readInto(target)).toBe(2)
    await expect(reader.readInto(target)).rejects.toBe(broken)
  })
})

test('BlockingReader.readInto fills the target as StreamReader.readInto does', () => {
  const pair = new ChannelPair(SIZES)
  const reader = new BlockingReader(
    new BlockingChannelSource(pair.channel, pair.ringer, pair.channel.epoch, () => {}),
  )
  pair.receiveAll('abcdef')
  const target = Buffer.alloc(4)
  expect([reader.readInto(target), `${target}`, reader.offset, reader.seen]).toEqual([4, 'abcd', 4, 4])
  expect([reader.readInto(target), `${target}`]).toEqual([2, 'efcd'])
  expect(() => reader.readInto(target, { timeoutMs: 1 })).toThrow(/readinto took longer than 1 ms/)
  pair.endInbound('fin')
  expect([reader.readInto(target), reader.readInto(new Uint8Array()), reader.atEof()]).toEqual([0, 0, true])
})

test('BlockingReader.readInto on a borrowed source counts what it has taken', () => {
  const pair = new ChannelPair(SIZES)
  pair.receiveAll('abcdef')
  const doorbell = allocateDoorbell()
  const position = pair.source.suspend()
  const { memory, epoch } = pair.channel
  const lent = { memory, epoch, doorbell, position, onReset: 'raise' } as const
  const source = borrowSource(lent, LoanWords.of(allocateLoan()))
  const reader = new BlockingReader(source)
  expect([reader.readInto(Buffer.alloc(4)), `${reader.readExactly(1)}`]).toEqual([4, 'e'])
  const returned = source.giveBack()
  expect(returned.count).toBe(5)
  pair.source.resume(returned.position)
  expect(`${pair.source.take(1)}`).toBe('f')
})
