import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { SharedTally } from '../../src/channel/shared-tally.ts'
import type { TallyOrder } from '../fixtures/channel/tally-peer.ts'

test('a tally that threads take of at once gives exactly what there is, and takes a dead one’s part off', async () => {
  const threads = 4
  const tally = new SharedTally(threads, 0)
  const orders = [1, 2, 3].map((slot): TallyOrder => {
    const { memory } = tally
    return { memory, threads, slot, tries: 20_000, leasesMax: 30_000, burst: 25_000 }
  })
  const file = new URL('../fixtures/channel/tally-peer.ts', import.meta.url)
  const taken = await Promise.all(
    orders.map(async workerData => {
      const worker = new Worker(file, { workerData, execArgv: [] })
      // Both may come in one turn, where the thread ends right after it has told.
      const [[told]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
      return told as { readonly entered: number; readonly turns: number }
    }),
  )
  const sum = (of: 'entered' | 'turns'): number => taken.reduce((total, told) => total + told[of], 0)
  expect([sum('entered'), sum('turns')]).toEqual([30_000, 25_000])
  expect([tally.counts, tally.bytes]).toEqual([{ leases: 30_000, waiters: 30_000 }, 180_000])
  tally.forgetPart(1)
  const left = 30_000 - (taken[0]?.entered ?? 0)
  expect([tally.counts, tally.bytes]).toEqual([{ leases: left, waiters: left }, 120_000])
  tally.forgetPart(2)
  tally.forgetPart(3)
  expect([tally.counts, tally.bytes]).toEqual([{ leases: 0, waiters: 0 }, 0])
})
