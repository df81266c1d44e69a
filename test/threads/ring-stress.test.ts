/** Two real threads, over a gigabyte in random chunks, waiting by doorbell and by blocking. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, test } from 'vitest'
import { allocateDoorbell } from '../../src/channel/doorbell.ts'
import { SlabAllocator, SlabNumbers } from '../../src/channel/slab.ts'
import type { PeerReport, PeerTask } from '../fixtures/channel/ring-peer.ts'

const MIB = 1_048_576
const PEER = new URL('../fixtures/channel/ring-peer.ts', import.meta.url)

/** The bytes that go through a ring of each size, once by doorbell and once by blocking. */
const RUNS = [
  { capacity: 64, totalBytes: 2 * MIB },
  { capacity: 333, totalBytes: 4 * MIB },
  { capacity: 4_096, totalBytes: 48 * MIB },
  { capacity: 65_536, totalBytes: 192 * MIB },
  { capacity: 131_072, totalBytes: 272 * MIB },
  { capacity: 512, wideBytes: 4_096, totalBytes: 32 * MIB },
].flatMap(run => (['bell', 'block'] as const).map(how => ({ wideBytes: 0, ...run, how })))

let sentBytes = 0

async function runPeer(task: PeerTask): Promise<PeerReport> {
  const worker = new Worker(PEER, { workerData: task })
  try {
    const [report] = (await once(worker, 'message')) as [PeerReport]
    return report
  } finally {
    await worker.terminate()
  }
}

test.each(RUNS)(
  'a ring of $capacity bytes, $wideBytes where it is wide, carries $totalBytes bytes by $how',
  async ({ capacity, wideBytes, totalBytes, how }) => {
    const sizes = { inboundBytes: capacity, outboundBytes: 64, wideBytes }
    const { memory } = new SlabAllocator(sizes, new SlabNumbers()).take()
    const bells = [allocateDoorbell(), allocateDoorbell()] as const
    const shared = { memory, how, totalBytes }
    const [sent, received] = await Promise.all([
      runPeer({ ...shared, role: 'producer', seed: capacity, ownBell: bells[0], otherBell: bells[1] }),
      runPeer({ ...shared, role: 'consumer', seed: capacity + 2, ownBell: bells[1], otherBell: bells[0] }),
    ])
    expect(sent.bytes).toBe(totalBytes)
    expect(received.bytes).toBe(totalBytes)
    expect(received.checksum).toBe(sent.checksum)
    expect(sent.missed + received.missed).toBe(0)
    // A run in which nobody ever waited would prove nothing.
    expect(sent.waits + received.waits).toBeGreaterThan(0)
    if (wideBytes > 0) expect(sent.moves).toBeGreaterThan(100)
    sentBytes += totalBytes
  },
)

afterAll(() => {
  expect(sentBytes).toBeGreaterThanOrEqual(1_000_000_000)
})
