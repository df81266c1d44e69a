/** What a receiver has seen of one run: bytes, and the first of each piece, so that they are used. */
import type { Order, Outcome } from './hosting/runner.ts'

const MIB = 1_048_576
const TOTAL_BYTES = 512 * MIB

/** Bytes of one run. */
export function bytesOf({ share }: Order): number {
  return Math.max(MIB, Math.round(TOTAL_BYTES * share))
}

export class ByteTally {
  readonly #total: number
  readonly #beganMs = performance.now()
  #bytes = 0
  #sum = 0

  constructor(total: number) {
    this.#total = total
  }

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    this.#sum += chunk[0] ?? 0
  }

  get isComplete(): boolean {
    return this.#bytes >= this.#total
  }

  /** In MiB. Throws unless exactly those bytes came. */
  outcome(others: Readonly<Record<string, number>> = {}): Outcome {
    if (this.#bytes !== this.#total || this.#sum === 0) throw new Error(`${this.#bytes} bytes came`)
    return { count: this.#bytes / MIB, elapsedMs: performance.now() - this.#beganMs, others }
  }
}
