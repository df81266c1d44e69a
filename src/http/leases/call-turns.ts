/**
 * Turns at one direction of a lease, first come, first served. A body that streams in is written in many chunks, and a
 * repeated call that names its offset must not begin before the one that it repeats has ended and its bytes are counted.
 */
import { type ErrorCode, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'

export class CallTurns {
  readonly #call: 'read' | 'write'
  readonly #timeoutCode: ErrorCode
  readonly #waiting: Set<Wait<void>> = new Set()
  #isTaken = false

  /** `timeoutCode`: what a wait ends with whose time is up. */
  constructor(call: 'read' | 'write', timeoutCode: ErrorCode) {
    this.#call = call
    this.#timeoutCode = timeoutCode
  }

  /** Whether a call has its turn, or is about to. */
  get isTaken(): boolean {
    return this.#isTaken
  }

  /** Runs `call` when all before it have ended. Errors: that of time, ABORTED, QUEUE_FULL, and those of `call`. */
  async take<T>(options: WaitOptions, call: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await this.#waitForTurn(options)
    this.#isTaken = true
    try {
      return await call()
    } finally {
      this.#pass()
    }
  }

  async #waitForTurn(options: WaitOptions): Promise<void> {
    if (this.#waiting.size >= LIMITS.callTurnsMax)
      throw new SockpoolError(
        'QUEUE_FULL',
        `${LIMITS.callTurnsMax} ${this.#call}s of this lease wait for their turn`,
      )
    const what = `the wait for another ${this.#call}`
    const wait: Wait<void> = new Wait(what, this.#timeoutCode, options, () => {
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
