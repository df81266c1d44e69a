/** The figures of threads: all of them are read from memory that is shared, and no thread is asked. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { LoopDelay } from '../base/loop-delay.ts'
import type { FleetFigures } from '../threads/fleet-figures.ts'
import type { HttpThreadFigures } from '../threads/http-fleet.ts'
import type { LoopShares } from './loop-shares.ts'
import type { Samples } from './samples.ts'
import type { ServiceCounts } from './service-counts.ts'

export type ThreadSources = {
  readonly fleet: Pick<FleetFigures, 'workers' | 'totals' | 'ringUse'>
  /** Wakes of the pool's own thread that only a timer found. */
  readonly missedWakes: () => number
  /** Threads that serve HTTP beside the main one. */
  readonly http: () => readonly HttpThreadFigures[]
  /** Of the main thread. */
  readonly loopDelay: LoopDelay
  readonly counts: ServiceCounts
}

type Row = {
  readonly worker: string
  readonly kind: 'main' | 'io' | 'http'
  readonly threadId: number
  readonly loopDelayMs: number
  readonly loopTime: EventLoopUtilization
}

export function addThreads(samples: Samples, shares: LoopShares, sources: ThreadSources): void {
  const rows = rowsOf(sources)
  const named = new Map(rows.map(row => [nameOf(row), row.loopTime]))
  for (const [name, share] of shares.look(named)) {
    const row = rows.find(other => nameOf(other) === name)
    if (row === undefined) continue
    const { worker, kind } = row
    samples.add('utilization', { worker, kind }, share)
  }
  for (const { worker, kind, loopDelayMs } of rows)
    samples.add('loopDelay', { thread: kind === 'main' ? kind : `${kind}-${worker}` }, loopDelayMs / 1_000)
  addTraffic(samples, sources)
  for (const [kind, count] of sources.counts.lost) samples.add('workerLost', { kind }, count)
}

function addTraffic(samples: Samples, { fleet, missedWakes }: ThreadSources): void {
  const { bytesIn, bytesOut, stallsIn, stallsOut, missedWakes: theirs } = fleet.totals()
  samples.add('relayBytes', { direction: 'in' }, bytesIn)
  samples.add('relayBytes', { direction: 'out' }, bytesOut)
  samples.add('ringStalls', { side: 'inbound' }, stallsIn)
  samples.add('ringStalls', { side: 'outbound' }, stallsOut)
  samples.add('doorbellLost', {}, theirs + missedWakes())
  const { inbound, outbound } = fleet.ringUse()
  samples.add('ringOccupancy', { direction: 'in' }, inbound)
  samples.add('ringOccupancy', { direction: 'out' }, outbound)
}

function rowsOf({ fleet, http, loopDelay }: ThreadSources): readonly Row[] {
  const main: Row = {
    worker: 'main',
    kind: 'main',
    threadId: 0,
    loopDelayMs: loopDelay.longestMs,
    loopTime: performance.eventLoopUtilization(),
  }
  // Of a worker that is drained and its successor, which have one id, the one that serves is shown.
  const io = new Map<number, Row>()
  for (const row of fleet.workers().toReversed()) io.set(row.id, { ...row, worker: `${row.id}`, kind: 'io' })
  const others = http().map(row => ({ ...row, worker: `${row.id}`, kind: 'http' }) as const)
  return [main, ...io.values(), ...others]
}

/** Of a thread and of no other: the number of a worker is its successor's too. */
function nameOf({ kind, threadId }: Row): string {
  return `${kind} ${threadId}`
}
