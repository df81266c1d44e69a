/**
 * What the I/O workers of a fleet do, in figures. All of it is read from memory that they share: no worker is asked, so that
 * one which is stuck, or dead, is told of as any other.
 */
import type { EventLoopUtilization } from 'node:perf_hooks'
import { LIMITS } from '../base/limits.ts'
import type { VitalsSnapshot } from '../channel/vitals.ts'
import type { IoConnection } from './io-connection.ts'
import type { IoThread } from './io-thread.ts'
import { vitalsSum, type WorkerStats, workerStats } from './worker-stats.ts'

export type FleetParts = {
  /** By the worker's id; null between a death and what follows it. */
  readonly threads: readonly (IoThread | null)[]
  /** Those that end with their last connection, beside their successors. */
  readonly draining: () => readonly IoThread[]
  /** By the number of the channel. */
  readonly connections: ReadonlyMap<number, IoConnection>
}

/** One thread as it is now. */
export type IoWorkerFigures = {
  readonly id: number
  readonly threadId: number
  /** Milliseconds: how long its event loop was held up of late, or is since. */
  readonly loopDelayMs: number
  readonly loopTime: EventLoopUtilization
}

export class FleetFigures {
  readonly #parts: FleetParts
  /** What the dead predecessors of each worker had counted. */
  readonly #past = new Map<number, VitalsSnapshot>()

  constructor(parts: FleetParts) {
    this.#parts = parts
  }

  /** A thread is gone: what it has counted stays counted. */
  left({ index, vitals }: IoThread): void {
    this.#past.set(index, vitalsSum(vitals.snapshot(), this.#past.get(index)))
  }

  rows(): WorkerStats[] {
    const { threads, draining } = this.#parts
    const serving = threads.map((thread, id) => workerStats(id, thread, this.#past.get(id)))
    return [...serving, ...draining().map(thread => workerStats(thread.index, thread))]
  }

  /** Of the threads that run. */
  workers(): IoWorkerFigures[] {
    return this.#running.flatMap(({ index: id, threadId, loopTime, silenceMs, vitals }) => {
      if (loopTime === null) return []
      // A look may fall between two beats.
      const heldMs = silenceMs - LIMITS.sweepIntervalMs
      return [{ id, threadId, loopTime, loopDelayMs: Math.max(vitals.loopDelayMs, heldMs) }]
    })
  }

  /** What all of them have counted, the dead too. */
  totals(): VitalsSnapshot {
    const past = [...this.#past.values()]
    return [...this.#running.map(({ vitals }) => vitals.snapshot()), ...past].reduce(
      (sum, one) => vitalsSum(sum, one),
      vitalsSum(),
    )
  }

  /** Shared memory that is set aside for rings; what of it was never touched costs nothing. */
  get ringBytes(): number {
    let bytes = 0
    for (const thread of this.#parts.threads) bytes += thread?.memory().slabBytes ?? 0
    return bytes
  }

  /** Bytes that lie in rings. */
  ringUse(): { readonly inbound: number; readonly outbound: number } {
    const use = { inbound: 0, outbound: 0 }
    for (const { channel } of this.#parts.connections.values()) {
      const { inbound, outbound } = channel.occupancy
      use.inbound += inbound
      use.outbound += outbound
    }
    return use
  }

  get #running(): readonly IoThread[] {
    return [...this.#parts.threads.filter(thread => thread !== null), ...this.#parts.draining()]
  }
}
