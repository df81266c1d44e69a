/**
 * Refuses calls early that would wait for nothing. A queue is looked at as CoDel does: it stands where even the luckiest
 * caller of the last interval has waited for longer than the target. That alone is no harm, as a small pool may always
 * have callers that wait; so of a standing queue only those calls are taken which the pool, at its present pace, could
 * not serve within twice what is left of their own time, and only of the tenant with the most waiting. Nobody of the
 * first round is, in which each connection comes back once.
 */
import type { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { Waiter, Waiters } from './waiters.ts'

export type SheddingDeps = {
  readonly waiters: Waiters
  readonly now: () => number
  /** How many connections may come back. */
  readonly max: () => number
  /** Whether callers wait for others' connections, and for no dial. */
  readonly isFull: () => boolean
  /** Milliseconds for which the first caller has to have waited: what is full may have room in a moment. */
  readonly patienceMs: () => number
  readonly expectedWaitMs: (position: number) => number | undefined
  readonly refusal: (position: number) => SockpoolError
}

export class Shedding {
  readonly #deps: SheddingDeps
  #timer: NodeJS.Timeout | null = null
  /** The shortest wait of those served since the last look. */
  #leastMs = Infinity

  constructor(deps: SheddingDeps) {
    this.#deps = deps
  }

  /** A caller waits. */
  joined(): void {
    this.#timer ??= setInterval(() => this.#look(), LIMITS.queueIntervalMs).unref()
  }

  served({ sinceMs }: Waiter): void {
    this.#leastMs = Math.min(this.#leastMs, this.#deps.now() - sinceMs)
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    this.#leastMs = Infinity
  }

  #look(): void {
    const { waiters, now, isFull, patienceMs } = this.#deps
    const { first } = waiters
    if (first === null) return this.stop()
    const waitedMs = now() - first.value.sinceMs
    const leastMs = Math.min(this.#leastMs, waitedMs)
    this.#leastMs = Infinity
    if (leastMs > LIMITS.queueStandingMs && isFull() && waitedMs > patienceMs()) this.#shed()
  }

  #shed(): void {
    const { waiters, now, max, expectedWaitMs, refusal } = this.#deps
    const { busiest } = waiters
    let position = 1
    for (const entry of waiters) {
      const { tenant, untilMs } = entry.value
      const waitMs = expectedWaitMs(position)
      if (waitMs === undefined) return
      const isHopeless = position > max() && waitMs > LIMITS.queueMargin * (untilMs - now())
      if (tenant === busiest && isHopeless) waiters.fail(entry, refusal(position))
      else position++
    }
  }
}
