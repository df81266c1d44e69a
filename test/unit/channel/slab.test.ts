import { assert, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { type Channel, CONTROL_BYTES } from '../../../src/channel/channel.ts'
import { allocateDoorbell, doorbellWords, RungSet } from '../../../src/channel/doorbell.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import { ENDLESS } from '../../../src/channel/tenure.ts'
import { LINE_BYTES } from '../../../src/channel/words.ts'
import { thrown } from '../../fixtures/thrown.ts'

const TINY = { inboundBytes: 8, outboundBytes: 4 }

const takeMany = (slabs: SlabAllocator, count: number): Channel[] =>
  Array.from({ length: count }, () => slabs.take())

test('SlabAllocator hands out the channel that came back last', () => {
  const slabs = new SlabAllocator(TINY, new SlabNumbers())
  const [first, second, third] = takeMany(slabs, 3) as [Channel, Channel, Channel]
  slabs.giveBack(first)
  slabs.giveBack(third)
  expect(slabs.take()).toBe(third)
  expect(slabs.take()).toBe(first)
  expect([first, second, third]).not.toContain(slabs.take())
})

test('SlabAllocator hands a channel out as new, one generation later', () => {
  const slabs = new SlabAllocator(TINY, new SlabNumbers())
  const channel = slabs.take()
  const { generation } = channel
  channel.close('reset')
  slabs.giveBack(channel)
  expect(slabs.take()).toBe(channel)
  expect(channel.closed).toBe('open')
  expect(channel.generation).toBe(generation + 1)
})

test('SlabAllocator numbers the channels of all workers apart', () => {
  const numbers = new SlabNumbers()
  const slabs = [new SlabAllocator(TINY, numbers), new SlabAllocator(TINY, numbers)]
  const taken = slabs.flatMap(slab => takeMany(slab, 100)).map(channel => channel.number)
  expect(new Set(taken).size).toBe(200)
  expect(Math.max(...taken)).toBeLessThan(numbers.channels)
  expect(numbers.channels).toBe(4 * LIMITS.channelsPerSlab)
})

test('SlabAllocator cuts slabs into pieces that touch nobody elses', () => {
  const slabs = new SlabAllocator({ ...TINY, wideBytes: 64 }, new SlabNumbers())
  const channels = takeMany(slabs, LIMITS.channelsPerSlab)
  const pieces = channels.flatMap(({ memory }) => [
    [memory.control, CONTROL_BYTES],
    [memory.inbound, memory.inboundBytes],
    [memory.outbound, memory.outboundBytes],
  ]) as Array<[start: number, bytes: number]>
  const wide = channels[0]?.memory.wide
  assert(wide)
  pieces.push([wide.claims, wide.count * LINE_BYTES], [wide.rings, wide.count * wide.ringBytes])
  pieces.sort(([a], [b]) => a - b)
  let end = 0
  for (const [start, bytes] of pieces) {
    expect(start).toBe(end)
    end = start + bytes
  }
  expect(slabs.stats()).toEqual({ channels: 64, taken: 64, slabBytes: end })
})

test('SlabAllocator.giveBack frees the wide ring that a channel has claimed', () => {
  const slabs = new SlabAllocator({ ...TINY, wideBytes: 16 }, new SlabNumbers())
  const channels = takeMany(slabs, LIMITS.wideRingsPerSlab + 1)
  expect(channels.map(channel => channel.claimWide())).toEqual([
    ...Array(LIMITS.wideRingsPerSlab).fill(true),
    false,
  ])
  const [first, last] = [channels[0] as Channel, channels.at(-1) as Channel]
  const producer = first.inboundProducer(ENDLESS)
  producer.move('wide')
  producer.publish(producer.fill(new Uint8Array(12)))
  expect(first.inboundConsumer(ENDLESS).readable).toBe(12)
  slabs.giveBack(first)
  expect(last.claimWide()).toBe(true)
  // Who takes the channel next begins in the ring's own memory.
  const again = slabs.take()
  expect(again).toBe(first)
  expect(again.inboundProducer(ENDLESS).free).toBe(TINY.inboundBytes)
  expect(again.claimWide()).toBe(false)
})

test('SlabAllocator grows slab by slab to the channels of a pool, and then is QUEUE_FULL', () => {
  const numbers = new SlabNumbers()
  const slabs = new SlabAllocator(TINY, numbers)
  const taken = takeMany(slabs, LIMITS.channelsMax)
  for (let refused = 0; refused < 3; refused++)
    expect(thrown(() => slabs.take())).toMatchObject({ code: 'QUEUE_FULL', retryable: true })
  expect(numbers.channels).toBe(LIMITS.channelsMax)
  // The doorbell has a bit for each of them, refused ones included.
  const set = new RungSet(doorbellWords(allocateDoorbell()), numbers.channels)
  expect(set.isEmpty).toBe(true)
  slabs.giveBack(taken[7] as Channel)
  expect(slabs.take()).toBe(taken[7])
})

test('SlabAllocator.abandon forgets its channels and leaves their numbers to others', () => {
  const numbers = new SlabNumbers()
  const lost = new SlabAllocator(TINY, numbers)
  const channel = lost.take()
  lost.abandon()
  expect(lost.stats()).toEqual({ channels: 0, taken: 0, slabBytes: 0 })
  const next = new SlabAllocator(TINY, numbers).take()
  expect(next.number).toBe(channel.number)
  expect(next.memory.slab).not.toBe(channel.memory.slab)
  expect(numbers.channels).toBe(LIMITS.channelsPerSlab)
  channel.close('workerLost')
  expect(next.closed).toBe('open')
})
