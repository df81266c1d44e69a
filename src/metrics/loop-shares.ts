/**
 * Which share of their time of late the event loops of threads were busy. Whoever looks, and however often, sees a window of
 * ten seconds or two: a look does not begin another's window anew.
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { LIMITS } from '../base/limits.ts'

type Window = {
  readonly from: EventLoopUtilization
  readonly next: EventLoopUtilization
  readonly nextMs: number
}

export class LoopShares {
  /** By thread. */
  #windows = new Map<string, Window>()

  /** 0 to 1 for each thread, by a name that no other thread ever has; those that are not named any more are forgotten. */
  look(threads: ReadonlyMap<string, EventLoopUtilization>): ReadonlyMap<string, number> {
    const nowMs = performance.now()
    const windows = new Map<string, Window>()
    const shares = new Map<string, number>()
    for (const [name, now] of threads) {
      const { from, next, nextMs } = this.#windows.get(name) ?? { from: null, next: now, nextMs: nowMs }
      const { utilization } = from === null ? now : performance.eventLoopUtilization(now, from)
      shares.set(name, Math.min(1, Math.max(0, Number.isNaN(utilization) ? 0 : utilization)))
      const isOver = from === null || nowMs - nextMs >= LIMITS.loopShareWindowMs
      windows.set(name, isOver ? { from: next, next: now, nextMs: nowMs } : { from, next, nextMs })
    }
    this.#windows = windows
    return shares
  }
}
