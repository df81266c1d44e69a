/**
 * Turns at writing to one lease, first come, first served. A body that streams in is written in many chunks, and a
 * repeated write with an offset must not begin before the first one has ended and its bytes are counted.
 */
import { Wait, type WaitOptions } from '../../base/wait.ts'

export class WriteTurns {
  #isTaken = false
  readonly #waiting: Set<Wait<void>> = new Set()

  /** Runs `write` when all before it have ended. Errors: DRAIN_TIMEOUT, ABORTED, and those of `write`. */
  async take<T>(options: WaitOptions, write: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await this.#waitForTurn(options)
    this.#isTaken = true
    try {
      return await write()
    } finally {
      this.#pass()
    }
  }

  async #waitForTurn(options: WaitOptions): Promise<void> {
    const wait: Wait<void> = new Wait('the wait for another write', 'DRAIN_TIMEOUT', options, () => {
      this.#waiting.delete(wait)
    })
    this.#waiting.add(wait)
    await wait.promise
  }

  /** Gives the turn straight to the next in line, so that nobody who comes later can slip in between. */
  #pass(): void {
    const [next] = this.#waiting
    this.#isTaken = next !== undefined
    if (next === undefined) return
    this.#waiting.delete(next)
    next.resolve()
  }
}
