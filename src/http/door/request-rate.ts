/**
 * How fast one token may send requests: a bucket that fills steadily and holds at most `burst` requests.
 *
 * @fastify/rate-limit would not do: it counts in fixed windows, so twice the burst passes around the border of two
 * windows; and it counts by route and address, whereas this limit belongs to the token that authentication finds.
 */
import { SockpoolError } from '../../base/errors.ts'

export interface RequestRateOptions {
  readonly requestsPerSecond: number
  /** Requests that may come at once after a pause. */
  readonly burst: number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export class RequestRate {
  readonly #options: RequestRateOptions
  #held: number
  #filledAtMs: number

  constructor(options: RequestRateOptions) {
    this.#options = options
    this.#held = options.burst
    this.#filledAtMs = options.now()
  }

  /** Takes one request out of the bucket. Errors: RATE_LIMITED; after `expectedWaitMs` the next request passes. */
  take(): void {
    const { requestsPerSecond, burst, now } = this.#options
    const atMs = now()
    const gained = ((atMs - this.#filledAtMs) * requestsPerSecond) / 1_000
    this.#held = Math.min(burst, this.#held + gained)
    this.#filledAtMs = atMs
    if (this.#held < 1) {
      const expectedWaitMs = Math.ceil(((1 - this.#held) * 1_000) / requestsPerSecond)
      const message = `this token may send at most ${requestsPerSecond} requests per second`
      throw new SockpoolError('RATE_LIMITED', message, { expectedWaitMs })
    }
    this.#held -= 1
  }
}
