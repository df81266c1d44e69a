import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { Channel } from '../../../src/channel/channel.ts'
import type { RingConsumer } from '../../../src/channel/ring.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import { Inflow } from '../../../workers/io/inflow.ts'

const OWN = 16_384
const WIDE = 8 * OWN

/** The stream's bytes from an offset on. */
function bytesFrom(offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (offset + index) % 251)
}

/** The way in of one connection, whose kernel and whose holder are the test. */
class Flow {
  readonly channel: Channel
  readonly inflow: Inflow
  readonly holder: RingConsumer
  #sent = 0
  #received = 0

  constructor(slabs: SlabAllocator, replay = 0) {
    this.channel = slabs.take()
    const scratch = Buffer.alloc(LIMITS.kernelReadBytes)
    this.inflow = new Inflow({ channel: this.channel, scratch, ringHolder: () => {}, onRoom: () => {} })
    this.holder = this.channel.inboundConsumer(replay)
  }

  /** The kernel reads so many bytes into the buffer it was given before. True where the socket is to pause. */
  receive(count: number): boolean {
    const buffer = this.inflow.nextBuffer()
    const length = Math.min(count, buffer.length)
    buffer.set(bytesFrom(this.#sent, length))
    this.#sent += length
    this.inflow.deliver(buffer, length)
    return this.inflow.pauseIfFull()
  }

  fill(): void {
    while (!this.receive(LIMITS.directReadBytesMin));
  }

  take(count: number = this.holder.readable): void {
    const bytes = Buffer.alloc(count)
    this.holder.copy(bytes)
    expect(bytes.equals(bytesFrom(this.#received, count))).toBe(true)
    this.#received += count
    this.holder.consume(count)
  }

  /** One round in which the holder empties a full ring before the I/O worker is back. */
  race(): void {
    this.fill()
    this.take()
    expect(this.inflow.tryResume(true)).toBe(true)
  }

  get isAllTaken(): boolean {
    return this.#received === this.#sent
  }
}

function slabsOf(wideBytes = WIDE): SlabAllocator {
  return new SlabAllocator({ inboundBytes: OWN, outboundBytes: 64, wideBytes }, new SlabNumbers())
}

test('Inflow moves to a wide ring when the holder has emptied a full one', () => {
  const flow = new Flow(slabsOf())
  flow.race()
  flow.receive(LIMITS.directReadBytesMin)
  expect(flow.holder.readable).toBe(LIMITS.directReadBytesMin)
  expect(flow.holder.capacity).toBe(WIDE)
  flow.fill()
  expect(flow.holder.readable).toBe(WIDE)
  flow.take()
  expect(flow.isAllTaken).toBe(true)
})

test('Inflow stays in its own ring while the holder leaves bytes in it', () => {
  const flow = new Flow(slabsOf())
  for (let round = 0; round < 5; round++) {
    flow.fill()
    flow.take(OWN >> 1)
    expect(flow.inflow.tryResume(true)).toBe(true)
  }
  flow.fill()
  expect(flow.holder.readable).toBe(OWN)
  expect(flow.holder.capacity).toBe(OWN)
})

test('Inflow stays in its own ring for a holder with a replay window, which never empties it', () => {
  const flow = new Flow(slabsOf(), 64)
  for (let round = 0; round < 5; round++) flow.race()
  expect(flow.holder.capacity).toBe(OWN)
})

test('Inflow leaves the wide ring to others once reads are small and the ring is empty', () => {
  const slabs = slabsOf()
  const flows = Array.from({ length: LIMITS.wideRingsPerSlab + 1 }, () => new Flow(slabs))
  for (const flow of flows) flow.race()
  for (const flow of flows) flow.receive(LIMITS.directReadBytesMin)
  const [first, last] = [flows[0] as Flow, flows.at(-1) as Flow]
  expect(first.holder.readable + last.holder.readable).toBe(2 * LIMITS.directReadBytesMin)
  expect([first.holder.capacity, last.holder.capacity]).toEqual([WIDE, OWN])
  // Not while bytes are in it.
  first.receive(10)
  expect(first.holder.capacity).toBe(WIDE)
  first.take()
  first.receive(10)
  first.take()
  expect(first.holder.capacity).toBe(OWN)
  // The last one has it now, and what the first one receives goes elsewhere.
  last.take()
  last.race()
  last.receive(LIMITS.directReadBytesMin)
  expect(last.holder.readable).toBeGreaterThan(0)
  expect(last.holder.capacity).toBe(WIDE)
  first.fill()
  last.fill()
  first.take()
  last.take()
  expect(first.isAllTaken && last.isAllTaken).toBe(true)
})

test('Inflow keeps the wide ring over the end of a lease, as a read into it may be under way', () => {
  const flow = new Flow(slabsOf())
  flow.race()
  flow.receive(LIMITS.directReadBytesMin)
  flow.take()
  const pending = flow.inflow.nextBuffer()
  flow.channel.rewind()
  flow.inflow.reopen()
  expect(flow.channel.inboundProducer().isWide).toBe(true)
  pending.fill(7, 0, 5)
  flow.inflow.deliver(pending, 5)
  const next = flow.channel.inboundConsumer()
  expect(Buffer.concat(next.views())).toEqual(Buffer.alloc(5, 7))
  expect(next.capacity).toBe(OWN)
})

test('Inflow without wide rings uses its own for ever', () => {
  const flow = new Flow(slabsOf(0))
  for (let round = 0; round < 5; round++) flow.race()
  expect(flow.holder.capacity).toBe(OWN)
  expect(flow.isAllTaken).toBe(true)
})
