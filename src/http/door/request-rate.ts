/**
 * How fast one token may send requests: a bucket that fills steadily and holds `burst` requests at the most.
 *
 * Not @fastify/rate-limit: that counts in fixed windows, so that twice the burst passes around a window's border, and
 * it counts by route and address where the bound here belongs to the token and is found out by the authentication.
 */
import { SockpoolError } from '../../base/errors.ts'

export interface RequestRateParts {
  readonly requestsPerSecond: number
  /** Requests that may come at once after a pause. */
  readonly burst: number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export class RequestRate {
  readonly #parts: RequestRateParts
  #held: number
  #filledAtMs: number

  constructor(parts: RequestRateParts) {
    this.#parts = parts
    this.#held = parts.burst
    this.#filledAtMs = parts.now()
  }

  /** Takes one request out of the bucket. Errors: RATE_LIMITED; `expectedWaitMs` says when there will be one. */
  take(): void {
    const { requestsPerSecond, burst, now } = this.#parts
    const atMs = now()
    const gained = ((atMs - this.#filledAtMs) * requestsPerSecond) / 1_000
    this.#held = Math.min(burst, this.#held + gained)
    this.#filledAtMs = atMs
    if (this.#held < 1) {
      const expectedWaitMs = Math.ceil(((1 - this.#held) * 1_000) / requestsPerSecond)
      const message = `this token may send ${requestsPerSecond} requests per second`
      throw new SockpoolError('RATE_LIMITED', message, { expectedWaitMs })
    }
    this.#held -= 1
  }
}
