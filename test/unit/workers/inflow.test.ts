import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import type { Channel } from '../../../src/channel/channel.ts'
import type { RingConsumer } from '../../../src/channel/ring.ts'
import { SlabAllocator, SlabNumbers } from '../../../src/channel/slab.ts'
import { ENDLESS, type Tenure } from '../../../src/channel/tenure.ts'
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
  readonly tenure: Tenure
  readonly ends: string[] = []
  #sent = 0
  #received = 0

  constructor(slabs: SlabAllocator) {
    this.channel = slabs.take()
    const scratch = Buffer.alloc(LIMITS.kernelReadBytes)
    this.tenure = this.channel.connectionTenure(this.channel.generation)
    this.inflow = new Inflow({
      channel: this.channel,
      tenure: this.tenure,
      scratch,
      balance: null,
      ringHolder: () => {},
      onRoom: () => {},
      tellEnd: how => this.ends.push(how),
    })
    this.holder = this.channel.inboundConsumer(ENDLESS)
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
    expect(this.inflow.tryResume()).toBe(true)
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
    expect(flow.inflow.tryResume()).toBe(true)
  }
  flow.fill()
  expect(flow.holder.readable).toBe(OWN)
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

test('Inflow leaves the wide ring to others at the end of a lease whose last read emptied the kernel', () => {
  const slabs = slabsOf()
  const idle: { flow: Flow; pending: Buffer }[] = []
  for (let ring = 0; ring < LIMITS.wideRingsPerSlab; ring++) {
    const flow = new Flow(slabs)
    flow.race()
    flow.receive(LIMITS.kernelReadBytes)
    flow.receive(2 * LIMITS.directReadBytesMin)
    expect([flow.holder.readable > 0, flow.holder.capacity]).toEqual([true, WIDE])
    flow.take()
    // node asks for the buffer of the next read at once.
    idle.push({ flow, pending: flow.inflow.nextBuffer() })
    flow.channel.rewind()
    flow.inflow.reopen()
  }
  const busy = new Flow(slabs)
  busy.race()
  busy.receive(LIMITS.directReadBytesMin)
  expect([busy.holder.readable, busy.holder.capacity]).toEqual([LIMITS.directReadBytesMin, WIDE])
  // And what comes for the next lease of the others lies in their own rings.
  for (const { flow, pending } of idle) {
    const next = flow.channel.inboundConsumer(ENDLESS)
    pending.fill(7, 0, 5)
    flow.inflow.deliver(pending, 5)
    expect([Buffer.concat(next.views()), next.capacity]).toEqual([Buffer.alloc(5, 7), OWN])
  }
  busy.take()
  expect(busy.isAllTaken).toBe(true)
})

test('Inflow keeps the wide ring over the end of a lease, as a read into it may be under way', () => {
  const flow = new Flow(slabsOf())
  flow.race()
  // The kernel has more than the buffer holds, so the next read goes into the ring itself.
  flow.receive(LIMITS.kernelReadBytes)
  flow.take()
  const pending = flow.inflow.nextBuffer()
  flow.channel.rewind()
  flow.inflow.reopen()
  expect(flow.channel.inboundProducer(flow.tenure).isWide).toBe(true)
  pending.fill(7, 0, 5)
  flow.inflow.deliver(pending, 5)
  const next = flow.channel.inboundConsumer(ENDLESS)
  expect(Buffer.concat(next.views())).toEqual(Buffer.alloc(5, 7))
  expect(next.capacity).toBe(OWN)
})

test('Inflow without wide rings uses its own for ever', () => {
  const flow = new Flow(slabsOf(0))
  for (let round = 0; round < 5; round++) flow.race()
  expect(flow.holder.capacity).toBe(OWN)
  expect(flow.isAllTaken).toBe(true)
})

test('Inflow tells the end once the last byte is in the ring, and keeps its first name', () => {
  const flow = new Flow(slabsOf(0))
  const bytes = bytesFrom(0, OWN + 10)
  flow.inflow.deliver(bytes, bytes.length)
  expect(flow.inflow.pauseIfFull()).toBe(true)
  flow.inflow.finish('fin')
  flow.inflow.finish('reset')
  expect([flow.inflow.end, flow.ends]).toEqual(['fin', []])
  flow.holder.consume(OWN)
  expect(flow.inflow.tryResume()).toBe(false)
  expect([flow.holder.readable, flow.ends]).toEqual([10, ['fin']])
  flow.inflow.cut('closed')
  expect(flow.ends).toEqual(['fin'])
})

test('Inflow that is cut loses what is not in the ring, and does not call that a FIN', () => {
  const flow = new Flow(slabsOf(0))
  const bytes = bytesFrom(0, OWN + 10)
  flow.inflow.deliver(bytes, bytes.length)
  flow.inflow.pauseIfFull()
  flow.inflow.finish('fin')
  flow.inflow.cut('killed')
  expect([flow.inflow.hasSpill, flow.inflow.end, flow.ends]).toEqual([false, 'killed', ['killed']])
})
