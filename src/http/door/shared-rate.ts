/** As RequestRate, over all threads that serve HTTP: the bucket lies in shared memory. */
import { SockpoolError } from '../../base/errors.ts'
import type { SharedTally } from '../../channel/shared-tally.ts'

const NS_PER_SECOND = 1_000_000_000
const NS_PER_MS = 1_000_000

export interface SharedRateOptions {
  readonly requestsPerSecond: number
  readonly burst: number
  readonly tally: SharedTally
  /** Nanoseconds of the clock that all threads of the process share; default: `process.hrtime`. */
  readonly nowNs?: () => bigint
}

export class SharedRate {
  readonly #options: SharedRateOptions
  readonly #intervalNs: bigint
  readonly #burst: bigint

  constructor(options: SharedRateOptions) {
    this.#options = options
    this.#intervalNs = BigInt(Math.max(1, Math.round(NS_PER_SECOND / options.requestsPerSecond)))
    this.#burst = BigInt(options.burst)
  }

  /** As RequestRate.take. */
  take(): void {
    const { tally, requestsPerSecond, nowNs = process.hrtime.bigint } = this.#options
    const lateNs = tally.takeTurn(nowNs(), this.#intervalNs, this.#burst)
    if (lateNs === 0n) return
    const expectedWaitMs = Math.ceil(Number(lateNs) / NS_PER_MS)
    const message = `this token may send at most ${requestsPerSecond} requests per second`
    throw new SockpoolError('RATE_LIMITED', message, { expectedWaitMs })
  }
}
