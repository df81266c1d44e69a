/** What an I/O worker does, as operators see it. */
import { NO_VITALS, type VitalsSnapshot } from '../channel/vitals.ts'
import type { IoThread } from './io-thread.ts'

export type WorkerStats = {
  readonly id: number
  /** Tells these rows from those of threads that do something else. */
  readonly kind: 'io'
  readonly threadId: number
  /** A worker that is drained has a row beside that of its successor, under the same id, until it is gone. */
  readonly state: 'serving' | 'draining'
  readonly connections: number
  /** Share of its time that the thread's event loop was busy, 0..1. */
  readonly utilization: number
  /** Connects ever attempted, one for each address tried. */
  readonly dialled: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Rings that only the sweep timer found; must be 0. */
  readonly missedWakes: number
}

/** The row of worker `id`; its thread is null between a death and what follows it. `past`: what its predecessors have counted. */
export function workerStats(id: number, thread: IoThread | null, past?: VitalsSnapshot): WorkerStats {
  const { dialled, bytesIn, bytesOut, missedWakes } = vitalsSum(thread?.vitals.snapshot(), past)
  return {
    id,
    kind: 'io',
    threadId: thread?.threadId ?? -1,
    state: thread?.isRetiring ? 'draining' : 'serving',
    connections: thread?.connections ?? 0,
    utilization: thread?.loopTime?.utilization ?? 0,
    dialled,
    bytesIn,
    bytesOut,
    missedWakes,
  }
}

export function vitalsSum(
  one: VitalsSnapshot = NO_VITALS,
  other: VitalsSnapshot = NO_VITALS,
): VitalsSnapshot {
  return {
    beats: one.beats + other.beats,
    dialled: one.dialled + other.dialled,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    missedWakes: one.missedWakes + other.missedWakes,
    stallsIn: one.stallsIn + other.stallsIn,
    stallsOut: one.stallsOut + other.stallsOut,
  }
}
