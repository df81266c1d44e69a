/** What an end of a channel does once its time is over: nothing, whoever the channel serves by then. */
import { describe, expect, test } from 'vitest'
import { type Channel, IN, OUT } from '../../../src/channel/channel.ts'
import type { RingConsumer, RingProducer } from '../../../src/channel/ring.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import { thrown } from '../../fixtures/thrown.ts'

const SIZES = { inboundBytes: 8, outboundBytes: 8, wideBytes: 32 }
const WORDS = 16
const EMPTY_RING_SKIP = 4

type Holder = { readonly reader: RingConsumer; readonly writer: RingProducer }

/** A channel in whose rings nothing is, but whose counters are somewhere in the middle. */
function open(): Channel {
  const channel = new SlabAllocator(SIZES, new SlabNumbers()).take()
  for (const { head, tail } of [IN, OUT])
    for (const word of [head, tail]) channel.words.store(word, EMPTY_RING_SKIP)
  return channel
}

/** The ends of the lease that the channel is in now. */
function endsOf(channel: Channel): Holder {
  const tenure = channel.leaseTenure(channel.epoch)
  return { reader: channel.inboundConsumer(tenure), writer: channel.outboundProducer(tenure) }
}

const ioEndsOf = (channel: Channel): Holder => {
  const tenure = channel.connectionTenure(channel.generation)
  return { reader: channel.outboundConsumer(tenure), writer: channel.inboundProducer(tenure) }
}

/** A lease, and what a holder has of it: 3 bytes read, 2 more readable, 3 bytes written. */
function lease(channel: Channel): Holder {
  channel.advanceEpoch()
  const ends = endsOf(channel)
  const io = ioEndsOf(channel)
  io.writer.publish(io.writer.fill(Buffer.from('oldin')))
  ends.reader.consume(3)
  ends.writer.publish(ends.writer.fill(Buffer.from('old')))
  return ends
}

/** Empties both rings, as the I/O worker and the pool do before a channel serves somebody else. */
function empty(channel: Channel): void {
  const { words } = channel
  for (const { head, tail } of [IN, OUT]) words.store(head, words.load(tail))
}

/** How a lease's time ends, and what the channel serves then. */
const AFTERWARDS: Record<string, (channel: Channel) => void> = {
  'the lease ended': channel => void channel.advanceEpoch(),
  'the connection has the next lease': channel => {
    channel.advanceEpoch()
    empty(channel)
    channel.advanceEpoch()
    serve(channel)
  },
  'the channel was recycled': channel => {
    channel.advanceEpoch()
    channel.reset()
  },
  'the channel was recycled while leased': channel => channel.reset(),
  'the channel has the next lease on another connection': channel => {
    channel.advanceEpoch()
    channel.reset()
    channel.advanceEpoch()
    serve(channel)
  },
}

/** The next lease's bytes lie in both rings, and it waits for more. */
function serve(channel: Channel): void {
  const ends = endsOf(channel)
  const io = ioEndsOf(channel)
  ends.writer.publish(ends.writer.fill(Buffer.from('newest')))
  io.writer.publish(io.writer.fill(Buffer.from('newer')))
  ends.reader.wish(7)
  ends.writer.wishRoom(5)
  io.writer.wishRoom(7)
}

const CALLS: Record<string, (ends: Holder) => unknown> = {
  fill: ({ writer }) => writer.fill(Buffer.from('stale')),
  reserve: ({ writer }) => writer.reserve(5),
  publish: ({ writer }) => writer.publish(1),
  'publish of nothing': ({ writer }) => writer.publish(0),
  move: ({ writer }) => writer.move('own'),
  wishRoom: ({ writer }) => writer.wishRoom(8),
  withdrawRoom: ({ writer }) => writer.withdrawRoom(),
  wishEnd: ({ writer }) => writer.wishEnd(),
  consume: ({ reader }) => reader.consume(2),
  wish: ({ reader }) => reader.wish(4),
  withdrawWish: ({ reader }) => reader.withdrawWish(),
}

const snapshotOf = ({ words, memory }: Channel): unknown => ({
  words: Array.from({ length: WORDS }, (_, word) => words.load(word)),
  bytes: Buffer.from(memory.slab.slice(memory.inbound, memory.outbound + memory.outboundBytes)).toString(
    'hex',
  ),
})

describe('an end of a lease', () => {
  const cases = Object.keys(AFTERWARDS).flatMap(when => Object.keys(CALLS).map(call => ({ when, call })))

  test.each(cases)('changes nothing by $call once $when, and is LEASE_GONE', ({ when, call }) => {
    const channel = open()
    const ends = lease(channel)
    AFTERWARDS[when]?.(channel)
    const before = snapshotOf(channel)
    expect(thrown(() => CALLS[call]?.(ends))).toMatchObject({ code: 'LEASE_GONE' })
    expect(snapshotOf(channel)).toEqual(before)
  })

  test('takes no wish for room away by hurry once it is another lease that makes it', () => {
    const channel = open()
    const ends = lease(channel)
    AFTERWARDS['the connection has the next lease']?.(channel)
    const before = snapshotOf(channel)
    expect(thrown(() => ends.reader.hurry())).toMatchObject({ code: 'LEASE_GONE' })
    expect(snapshotOf(channel)).toEqual(before)
  })

  test.each(['readable', 'views', 'first', 'free', 'pending'])(
    'that looks by %s at counters that make no sense to it blames its own time, not the memory',
    look => {
      const channel = open()
      const ends = lease(channel)
      channel.advanceEpoch()
      channel.reset()
      for (const word of [IN.tail, OUT.head]) channel.words.store(word, 800)
      const looks: Record<string, () => unknown> = {
        readable: () => ends.reader.readable,
        views: () => ends.reader.views(),
        first: () => ends.reader.first(),
        free: () => ends.writer.free,
        pending: () => ends.writer.pending,
      }
      expect(thrown(() => looks[look]?.())).toMatchObject({ code: 'LEASE_GONE' })
    },
  )

  test('does not follow the next connection into a wide ring', () => {
    const channel = open()
    const { reader } = lease(channel)
    channel.advanceEpoch()
    channel.reset()
    const io = ioEndsOf(channel)
    expect(channel.claimWide()).toBe(true)
    io.writer.move('wide')
    // The ring was given up again, and the tail still names it.
    channel.leaveWide()
    expect(thrown(() => reader.readable)).toMatchObject({ code: 'LEASE_GONE' })
    expect(thrown(() => endsOf(channel).reader.readable)).toMatchObject({ code: 'CHANNEL_CORRUPT' })
  })

  test('made between two leases is over with its connection too', () => {
    const channel = open()
    const { writer } = endsOf(channel)
    channel.reset()
    expect(thrown(() => writer.fill(Buffer.from('stale')))).toMatchObject({ code: 'LEASE_GONE' })
  })
})

test.each(Object.keys(CALLS))(
  'an I/O worker’s end changes nothing by %s once its connection is over',
  call => {
    const channel = open()
    channel.advanceEpoch()
    const ends = ioEndsOf(channel)
    endsOf(channel).writer.publish(1)
    AFTERWARDS['the channel has the next lease on another connection']?.(channel)
    const before = snapshotOf(channel)
    expect(thrown(() => CALLS[call]?.(ends))).toMatchObject({ code: 'LEASE_GONE' })
    expect(snapshotOf(channel)).toEqual(before)
  },
)

test('an end goes on through the end of other leases’ channels, and for as long as its own time holds', () => {
  const [mine, other] = [open(), open()]
  const ends = lease(mine)
  lease(other)
  other.advanceEpoch()
  ends.writer.publish(ends.writer.fill(Buffer.from('more')))
  expect(ends.reader.consume(2)).toBe(false)
  expect(Buffer.concat(ioEndsOf(mine).reader.views()).toString()).toBe('oldmore')
})
