/**
 * Collects garbage once much has gone through and the thread has fallen quiet. V8 collects when something is allocated: a
 * thread that has served a burst and then has nothing to do keeps all that the burst left behind, however much the machine
 * might need it. One collection takes some tens of milliseconds, so there is one for each such burst, and none while
 * callers are being served. It is the collection that V8 itself makes when memory is short, as that alone gives the system back
 * what it frees: after any other, V8 keeps the pages for later, for as long as the thread lives.
 */
import { performance } from 'node:perf_hooks'
import { type Collect, collector } from './collector.ts'
import { LIMITS } from './limits.ts'

export type QuietCollectionDeps = {
  readonly collect: () => void
  /** The share of the time since the last look in which the event loop did not wait, 0 to 1. */
  readonly busyShare: () => number
}

export class QuietCollection {
  readonly #deps: QuietCollectionDeps
  #bytes = 0
  #calls = 0
  #callsSeen = 0
  #timer: NodeJS.Timeout | null = null

  constructor(deps: QuietCollectionDeps) {
    this.#deps = deps
  }

  /** So many bytes of a large body or answer have gone through. */
  passed(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes >= LIMITS.quietCollectionBytes) this.#watch()
  }

  /** A call was answered, of whatever size: many small ones leave as much behind as a few large ones. */
  answered(): void {
    this.#calls++
    if (this.#calls >= LIMITS.quietCollectionCalls) this.#watch()
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #watch(): void {
    if (this.#timer !== null) return
    this.#deps.busyShare()
    this.#callsSeen = this.#calls
    this.#timer = setInterval(() => this.#look(), LIMITS.quietCollectionMs).unref()
  }

  #look(): void {
    const fresh = this.#calls - this.#callsSeen
    this.#callsSeen = this.#calls
    if (this.#deps.busyShare() > LIMITS.quietCollectionBusyMax) return
    if (this.#bytes < LIMITS.quietCollectionBytes && fresh > LIMITS.quietCollectionCallsLeft) return
    this.stop()
    this.#bytes = 0
    this.#calls = 0
    this.#deps.collect()
  }
}

const LAST_RESORT = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const

/** For this thread. */
export function quietCollection(): QuietCollection {
  let last = performance.eventLoopUtilization()
  let collect: Collect | null = null
  return new QuietCollection({
    collect: () => {
      collect ??= collector()
      collect(LAST_RESORT)
    },
    busyShare: () => {
      const before = last
      last = performance.eventLoopUtilization()
      return performance.eventLoopUtilization(last, before).utilization
    },
  })
}
