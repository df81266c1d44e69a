/** Streams of very many small pieces: what they cost is a matter of their bytes, and not of their number squared. */
import { expect, test } from 'vitest'
import { BlockingReader } from '../../../src/streams/blocking/blocking-reader.ts'
import { MemorySource } from '../../../src/streams/reading/memory-source.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { Gathered } from '../../../src/streams/writing/gathered.ts'
import { StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import { thrown } from '../../fixtures/thrown.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

/**
 * Milliseconds of a processor that none of these may stop the thread for: time that others have it does not count. Squared,
 * each takes ten times as long and more.
 */
const STANDSTILL_MS = 2_000

const PIECES = 400_000
const texts = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${at % 10_000}`.padStart(4, '0'))

/** What the call gives, which must not take long. */
async function soon<T>(call: () => T | Promise<T>): Promise<T> {
  const before = process.cpuUsage()
  const result = await call()
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1_000).toBeLessThan(STANDSTILL_MS)
  return result
}

/** All that a writer was given, as the kernel gets it. */
function sentBy(write: (writer: StreamWriter) => void): string {
  const pair = new ChannelPair({ inboundBytes: 64, outboundBytes: 65_536 })
  const writer = new StreamWriter(pair.sink)
  write(writer)
  const parts: string[] = []
  while (writer.buffered > 0) {
    parts.push(pair.send(65_536))
    pair.sink.rung()
  }
  return parts.join('')
}

test('StreamWriter.writeLines sends 400,000 short texts', async () => {
  const list = texts(PIECES)
  const sent = await soon(() => sentBy(writer => writer.writeLines(list)))
  expect(sent === list.join('')).toBe(true)
})

test('StreamWriter.write in a loop without drain sends 400,000 short texts', async () => {
  const list = texts(PIECES)
  const sent = await soon(() => sentBy(writer => list.forEach(text => void writer.write(text))))
  expect(sent === list.join('')).toBe(true)
})

test('StreamWriter.writeLines stops at its bound, however long the list', () => {
  const writer = new StreamWriter(new ChannelPair({ inboundBytes: 64, outboundBytes: 64 }).sink, {
    maxBufferedBytes: 1_000,
  })
  const endless = (function* () {
    for (;;) yield 'abc'
  })()
  expect(thrown(() => writer.writeLines(endless))).toMatchObject({ code: 'WRITE_OVERFLOW', bytesAccepted: 0 })
  expect(writer.offset).toBe(0)
})

test('Gathered keeps the bytes of all pieces in order, in few pieces', () => {
  const list = Array.from({ length: 3_000 }, (_, at) => {
    if (at % 7 === 0) return ''
    if (at % 500 === 1) return Buffer.alloc(9_000, at)
    if (at % 500 === 2) return 'ü'.repeat(3_000)
    // Halves of a pair, which no join may make whole.
    return at % 2 === 0 ? (at % 4 === 0 ? '\ud83d' : '\ude00') : Buffer.from([at])
  })
  const { pieces, length } = new Gathered(list, Number.POSITIVE_INFINITY)
  const wanted = Buffer.concat(list.map(data => Buffer.from(data as string)))
  expect(Buffer.concat(pieces).equals(wanted)).toBe(true)
  expect(length).toBe(wanted.length)
  expect(pieces.length).toBeLessThan(60)
  expect(() => new Gathered([...Array(40).fill('a'), 5 as unknown as string], 9_000)).toThrow(TypeError)
})

test('StreamReader reads what was fed in 100,000 chunks', async () => {
  const lines = texts(100_000).map(text => `${text}\n`)
  const fed = (): StreamReader => {
    const reader = new StreamReader()
    for (const line of lines) reader.feedData(Buffer.from(line))
    reader.feedEof()
    return reader
  }
  const byLine = await soon(async () => {
    const read: string[] = []
    for await (const line of fed()) read.push(line.toString())
    return read
  })
  expect(byLine).toEqual(lines)
  const batched = await soon(async () => {
    let count = 0
    for await (const batch of fed().lineBatches()) count += batch.length
    return count
  })
  expect(batched).toBe(lines.length)
  const byCount = await soon(async () => {
    const reader = fed()
    for (let at = 0; at < lines.length; at++) await reader.readExactly(5)
    return reader.atEof()
  })
  expect(byCount).toBe(true)
})

test('StreamReader waits for the end of a line that comes in 200,000 chunks', async () => {
  const reader = new StreamReader({ limit: 300_000 })
  const line = await soon(() => {
    const reading = reader.readLine()
    for (let at = 0; at < 200_000; at++) reader.feedData(Buffer.from('a'))
    reader.feedData(Buffer.from('\n'))
    return reading
  })
  expect(line.length).toBe(200_001)
})

test('StreamReader takes back 200,000 bytes one by one', async () => {
  const reader = new StreamReader()
  reader.feedData(Buffer.alloc(200_000, 'a'))
  await reader.readExactly(200_000)
  const back = await soon(() => {
    for (let at = 0; at < 200_000; at++) reader.unread(Buffer.from([98 + (at % 5)]))
    return reader.readExactly(200_000)
  })
  expect(back.toString()).toBe('fedcb'.repeat(40_000))
})

test('BlockingReader reads what was fed in 100,000 chunks', async () => {
  const source = Object.assign(new MemorySource(), { waitFor: () => true, takeThrough: () => null })
  for (let at = 0; at < 100_000; at++) source.feed(Buffer.from('abc\n'))
  source.finish({ kind: 'fin' })
  const count = await soon(() => [...new BlockingReader(source)].length)
  expect(count).toBe(100_000)
})
