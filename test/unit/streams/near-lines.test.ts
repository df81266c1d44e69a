/** Lines of a channel that has many of them: they are taken by the source's short cut, and mean what they mean elsewhere. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { ChannelPair } from '../../support/channel-pair.ts'

const SIZES = { inboundBytes: 262_144, outboundBytes: 64 }

function open(replay = 0): { pair: ChannelPair; reader: StreamReader } {
  const pair = new ChannelPair(SIZES, replay)
  return { pair, reader: new StreamReader({}, pair.source) }
}

/** Lines of all lengths, more bytes than are moved aside at a time. */
const LINES = Array.from({ length: 2_000 }, (_, index) => `${index}${'x'.repeat(index % 150)}\n`)

describe.each([0, 1_000])('StreamReader over a channel with many lines (replay %i)', replay => {
  test('reads each, and what is between them, in order', async () => {
    const { pair, reader } = open(replay)
    pair.receiveAll(LINES.join(''))
    for (const [index, line] of LINES.entries()) {
      const got = index % 7 === 0 ? await reader.readExactly(line.length) : await reader.readLine()
      expect(got.toString()).toBe(line)
    }
    expect(reader.offset).toBe(LINES.join('').length)
    expect(reader.buffered).toBe(0)
  })

  test('gives batches of them, bounded, and the rest at the end', async () => {
    const { pair, reader } = open(replay)
    pair.receiveAll(`${LINES.join('')}rest`)
    pair.endInbound('fin')
    const batches: string[][] = []
    for await (const batch of reader.lineBatches()) batches.push(batch.map(String))
    expect(batches.flat()).toEqual([...LINES, 'rest'])
    expect(Math.max(...batches.map(({ length }) => length))).toBe(LIMITS.lineBatchMax)
  })

  test('finds one that is too long, and the one after it', async () => {
    const { pair, reader } = open(replay)
    pair.receiveAll(`ok\n${'y'.repeat(20_000)}\nfine\n${LINES.join('')}`)
    const options = { limit: 1_000, onOverrun: 'discard-line' } as const
    expect(`${await reader.readLine(options)}`).toBe('ok\n')
    await expect(reader.readLine(options)).rejects.toMatchObject({ code: 'LIMIT_OVERRUN' })
    expect((await reader.lineBatches(options).next()).value?.slice(0, 3).map(String)).toEqual([
      'fine\n',
      ...LINES.slice(0, 2),
    ])
  })
})

test('StreamReader takes no line that came for a read that waits', async () => {
  const { pair, reader } = open()
  const waiting = reader.readExactly(3)
  // Nobody has heard of these yet.
  pair.inbound.publish(pair.inbound.fill(Buffer.from(`abc${LINES.join('')}`)))
  expect(`${await reader.readLine()}`).toBe(LINES[0])
  expect(`${await waiting}`).toBe('abc')
})

test('StreamReader keeps lines that it gave from what comes later', async () => {
  const { pair, reader } = open()
  pair.receiveAll(LINES.join(''))
  const line = await reader.readLine()
  reader.unread(Buffer.from('Z\n'))
  expect([`${line}`, `${await reader.readLine()}`]).toEqual([LINES[0], 'Z\n'])
  pair.receiveAll(LINES.join(''))
  expect(`${line}`).toBe(LINES[0])
})
