import { expect, test } from 'vitest'
import { Channel, END, type EndName, IN, OUT } from '../../../src/channel/channel.ts'
import { counterSpan } from '../../../src/channel/ring-end.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'

const SIZES = { inboundBytes: 16, outboundBytes: 12 }

const open = (): Channel => new SlabAllocator(SIZES, new SlabNumbers()).take()

test('Channel carries bytes both ways between two threads views of one memory', () => {
  const here = open()
  const there = new Channel(structuredClone(here.memory))
  const io = there.inboundProducer()
  const reader = here.inboundConsumer()
  io.publish(io.fill(Buffer.from('inbound')))
  expect(Buffer.concat(reader.views()).toString()).toBe('inbound')
  const writer = here.outboundProducer()
  const kernel = there.outboundConsumer()
  writer.publish(writer.fill(Buffer.from('outbound')))
  expect(Buffer.concat(kernel.views()).toString()).toBe('outbound')
  expect(reader.readable).toBe(7)
})

test.each(Object.keys(END).filter(name => name !== 'open') as EndName[])(
  'Channel tells the end %s to the other side, and the first end stays',
  how => {
    const channel = open()
    const other = new Channel(channel.memory)
    expect([other.inEnd, other.closed]).toEqual(['open', 'open'])
    channel.endInbound(how)
    channel.endInbound('fin')
    channel.close(how)
    channel.close('closed')
    expect([other.inEnd, other.closed]).toEqual([how, how])
  },
)

test.each([99, -1])(
  'Channel reads %i where no such end, shut or verdict is as the worst of them',
  garbage => {
    const channel = open()
    for (const word of [4, 9, 10, 12]) channel.words.store(word, garbage)
    expect(channel.inEnd).toBe('reset')
    expect(channel.closed).toBe('reset')
    expect(channel.shut).toBe('abort')
    expect(channel.verdict).toBe('error')
  },
)

test('Channel raises what follows the last byte and never lowers it', () => {
  const channel = open()
  expect(channel.shut).toBe('open')
  channel.requestShut('finish')
  channel.requestShut('close')
  channel.requestShut('finish')
  expect(channel.shut).toBe('close')
  channel.requestShut('abort')
  expect(channel.shut).toBe('abort')
})

test.each(['endInbound', 'close'] as const)(
  'Channel.%s wakes a holder that blocks, reading or writing',
  async end => {
    const channel = open()
    const holder = new Channel(channel.memory)
    expect(holder.inboundConsumer().wish(1, 'block')).toBe(true)
    const writer = holder.outboundProducer()
    writer.publish(writer.fill(new Uint8Array(12)))
    expect(writer.wishRoom(1, 'block')).toBe(true)
    const blocked = [holder.words.waitAsync(IN.want, -1), holder.words.waitAsync(OUT.room, -1)]
    expect(blocked).not.toContain(null)
    channel[end]('reset')
    expect(await Promise.all(blocked)).toEqual(['ok', 'ok'])
    expect([channel.words.load(IN.want), channel.words.load(OUT.room)]).toEqual([0, 0])
    expect(holder.words.waitAsync(IN.want, -1)).toBeNull()
  },
)

test('Channel leaves a wish for the doorbell to those who ring it', () => {
  const channel = open()
  channel.inboundConsumer().wish(3)
  channel.close('reset')
  expect(channel.words.load(IN.want)).toBe(3)
})

test('Channel.waitInbound blocks on a blocking wish alone', () => {
  const channel = open()
  const reader = channel.inboundConsumer()
  channel.waitInbound(60_000)
  reader.wish(1)
  channel.waitInbound(60_000)
  reader.wish(1, 'block')
  const begun = performance.now()
  channel.waitInbound(20)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(19)
})

test('Channel.advanceEpoch is odd while the channel is leased, and wraps to itself', () => {
  const channel = open()
  expect([channel.epoch, channel.isLeased]).toEqual([0, false])
  expect([channel.advanceEpoch(), channel.isLeased]).toEqual([1, true])
  expect([channel.advanceEpoch(), channel.isLeased]).toEqual([2, false])
  channel.words.store(11, 2 ** 31 - 1)
  expect(channel.isLeased).toBe(true)
  expect([channel.advanceEpoch(), channel.isLeased]).toEqual([-(2 ** 31), false])
  expect(channel.advanceEpoch()).toBe(-(2 ** 31) + 1)
  expect(channel.isLeased).toBe(true)
})

test('Channel.setVerdict is what the other side reads', () => {
  const channel = open()
  expect(channel.verdict).toBe('none')
  channel.setVerdict('half_closed')
  expect(new Channel(channel.memory).verdict).toBe('half_closed')
})

test('Channel.rewind lets both rings begin at their first byte', () => {
  const channel = open()
  const io = channel.inboundProducer()
  const reader = channel.inboundConsumer()
  io.publish(io.fill(new Uint8Array(5)))
  reader.consume(5)
  channel.rewind()
  expect(channel.words.load(IN.tail)).toBe(16)
  expect(channel.words.load(IN.head)).toBe(16)
  expect(channel.inboundProducer().reserve(Number.POSITIVE_INFINITY)).toHaveLength(16)
  channel.rewind()
  expect(channel.words.load(IN.tail)).toBe(16)
})

test.each([
  [counterSpan(16) - 1, 0],
  [2 ** 31 - 1, 0],
  [-5, 16],
  [-1_000, 0],
])('Channel.rewind makes a counter at %i one that can be', (counter, expected) => {
  const channel = open()
  channel.words.store(IN.tail, counter)
  channel.rewind()
  if (expected === 0) expect(channel.words.load(IN.tail)).toBe(0)
  expect(channel.inboundProducer().free).toBe(16)
  expect(channel.inboundConsumer().readable).toBe(0)
})

test('Channel.reset makes it as new and counts the generation', () => {
  const channel = open()
  const { generation } = channel
  const io = channel.inboundProducer()
  io.publish(io.fill(new Uint8Array(5)))
  channel.inboundConsumer().wish(9)
  channel.endInbound('fin')
  channel.close('reset')
  channel.requestShut('abort')
  channel.advanceEpoch()
  channel.setVerdict('unread')
  channel.reset()
  expect(channel.generation).toBe(generation + 1)
  expect([channel.inEnd, channel.closed, channel.shut, channel.verdict]).toEqual([
    'open',
    'open',
    'open',
    'none',
  ])
  expect(channel.epoch).toBe(0)
  expect(channel.inboundConsumer().readable).toBe(0)
  expect(channel.inboundProducer().free).toBe(16)
  expect(channel.words.load(IN.want)).toBe(0)
})
