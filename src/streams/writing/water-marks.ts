/**
 * When a writer counts as full: above the high mark, until it falls to the low one. Bytes.
 */

import { END_LIMITS } from '../../base/end-limits.ts'
import { SockpoolError } from '../../base/errors.ts'
import { countOption } from '../../base/options.ts'

export class WaterMarks {
  #high: number = END_LIMITS.writeHighWaterBytes
  #low: number = END_LIMITS.writeLowWaterBytes
  #isFull = false

  get low(): number {
    return this.#low
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /**
   * Low alone: high = 4 × low; high alone: low = high / 4. A higher mark does not let go of who waits already, the
   * low mark does. Errors: INVALID_REQUEST unless they are whole numbers, and high >= low >= 0. Source: asyncio's set_write_buffer_limits.
   */
  set(high?: number, low?: number): void {
    countOption('high', high, 0)
    countOption('low', low, 0)
    const top = high ?? (low === undefined ? END_LIMITS.writeHighWaterBytes : 4 * low)
    const bottom = low ?? Math.floor(top / 4)
    if (top < bottom)
      throw new SockpoolError('INVALID_REQUEST', `high (${top}) must be >= low (${bottom}) must be >= 0`)
    this.#high = top
    this.#low = bottom
  }

  /** Whether so much would make it full. */
  isAbove(bytes: number): boolean {
    return bytes > this.#high
  }

  /** So much is buffered after bytes were added. */
  rose(bytes: number): void {
    if (bytes > this.#high) this.#isFull = true
  }

  /** So much is buffered after bytes went away; true where that ends the fullness. */
  fell(bytes: number): boolean {
    if (!this.#isFull || bytes > this.#low) return false
    this.#isFull = false
    return true
  }
}
