import { expect, test } from 'vitest'
import { Channel, IN, OUT } from '../../../src/channel/channel.ts'
import { counterSpan } from '../../../src/channel/ring-end.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import type { Tenure } from '../../../src/channel/tenure.ts'
import { CHECK, type CheckName, END, type EndName, type ShutName } from '../../../src/channel/values.ts'

const SIZES = { inboundBytes: 16, outboundBytes: 12 }

const open = (): Channel => new SlabAllocator(SIZES, new SlabNumbers()).take()

const ofLease = (channel: Channel): Tenure => channel.leaseTenure(channel.epoch)
const ofConnection = (channel: Channel): Tenure => channel.connectionTenure(channel.generation)

test('Channel carries bytes both ways between two threads views of one memory', () => {
  const here = open()
  const there = new Channel(structuredClone(here.memory))
  const io = there.inboundProducer(ofConnection(there))
  const reader = here.inboundConsumer(ofLease(here))
  io.publish(io.fill(Buffer.from('inbound')))
  expect(Buffer.concat(reader.views()).toString()).toBe('inbound')
  const writer = here.outboundProducer(ofLease(here))
  const kernel = there.outboundConsumer(ofConnection(there))
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

test.each([99, -1])('Channel reads %i where no such end is as the worst of them', garbage => {
  const channel = open()
  for (const word of [4, 10]) channel.words.store(word, garbage)
  expect(channel.inEnd).toBe('reset')
  expect(channel.closed).toBe('reset')
})

test.each([8, 64, -8, -(2 ** 31)])(
  'Channel reads flags of %i, which no request has, as the strongest request',
  flags => {
    const channel = open()
    channel.words.store(9, flags)
    expect(channel.shut).toBe('abort')
  },
)

test.each([
  [['finish'], 'finish'],
  [['close', 'finish'], 'close'],
  [['finish', 'close'], 'close'],
  [['abort', 'finish'], 'abort'],
  [['finish', 'close', 'abort'], 'abort'],
] as Array<[ShutName[], ShutName]>)(
  'Channel.shut after requests for %j is the strongest: %s',
  (requests, strongest) => {
    const channel = open()
    for (const how of requests) channel.requestShut(how)
    expect(new Channel(channel.memory).shut).toBe(strongest)
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
    expect(holder.inboundConsumer(ofLease(holder)).wish(1, 'block')).toBe(true)
    const writer = holder.outboundProducer(ofLease(holder))
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
  channel.inboundConsumer(ofLease(channel)).wish(3)
  channel.close('reset')
  expect(channel.words.load(IN.want)).toBe(3)
})

test('Channel.waitInbound blocks on a blocking wish alone', () => {
  const channel = open()
  const reader = channel.inboundConsumer(ofLease(channel))
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
  const { epoch } = channel
  expect([epoch & 1, channel.isLeased]).toEqual([0, false])
  expect([channel.advanceEpoch(), channel.isLeased]).toEqual([epoch + 1, true])
  expect([channel.advanceEpoch(), channel.isLeased]).toEqual([epoch + 2, false])
  channel.words.store(11, 2 ** 31 - 1)
  expect(channel.isLeased).toBe(true)
  expect([channel.advanceEpoch(), channel.isLeased]).toEqual([-(2 ** 31), false])
  expect(channel.advanceEpoch()).toBe(-(2 ** 31) + 1)
  expect(channel.isLeased).toBe(true)
})

const FINDINGS = Object.keys(CHECK).filter(name => name !== 'none') as CheckName[]

test.each(FINDINGS)('Channel.checkedAt reads %s for the release that it is about and for no other', found => {
  const channel = open()
  const there = new Channel(channel.memory)
  for (const epoch of [2, 4, 2 ** 31 - 2, -(2 ** 31), -2]) {
    expect(there.checkedAt(epoch)).toBe('none')
    channel.setChecked(epoch, found)
    expect(there.checkedAt(epoch)).toBe(found)
    for (const other of [epoch + 2, epoch - 2, epoch + 1, epoch ^ 64])
      expect(there.checkedAt(other)).toBe('none')
  }
})

test('Channel.checkedAt reads a finding that does not exist as an error', () => {
  const channel = open()
  channel.setChecked(2, 'clean')
  channel.words.store(12, channel.words.load(12) | 15)
  expect(channel.checkedAt(2)).toBe('error')
})

test('Channel.rewind lets both rings begin at their first byte', () => {
  const channel = open()
  const io = channel.inboundProducer(ofConnection(channel))
  const reader = channel.inboundConsumer(ofLease(channel))
  io.publish(io.fill(new Uint8Array(5)))
  reader.consume(5)
  channel.rewind()
  expect(channel.words.load(IN.tail)).toBe(16)
  expect(channel.words.load(IN.head)).toBe(16)
  expect(channel.inboundProducer(ofConnection(channel)).reserve(Number.POSITIVE_INFINITY)).toHaveLength(16)
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
  expect(channel.inboundProducer(ofConnection(channel)).free).toBe(16)
  expect(channel.inboundConsumer(ofLease(channel)).readable).toBe(0)
})

test('Channel.reset makes it as new and counts the generation', () => {
  const channel = open()
  const { generation } = channel
  const io = channel.inboundProducer(ofConnection(channel))
  io.publish(io.fill(new Uint8Array(5)))
  channel.inboundConsumer(ofLease(channel)).wish(9)
  channel.endInbound('fin')
  channel.close('reset')
  channel.requestShut('abort')
  channel.setHolder(3)
  channel.reset()
  expect(channel.generation).toBe(generation + 1)
  expect([channel.inEnd, channel.closed, channel.shut, channel.holder]).toEqual(['open', 'open', 'open', 0])
  expect(channel.isLeased).toBe(false)
  expect(channel.inboundConsumer(ofLease(channel)).readable).toBe(0)
  expect(channel.inboundProducer(ofConnection(channel)).free).toBe(16)
  expect(channel.words.load(IN.want)).toBe(0)
})
