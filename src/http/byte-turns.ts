/**
 * How many bytes of all large bodies and answers together go through one turn of the event loop. Node reads a connection as
 * long as bytes come and somebody takes them, up to two MiB at a time, and hands the kernel an answer in one piece; forty
 * of these at once would keep everybody else waiting for tenths of a second. What is over the share waits for the next
 * turns, first come, first served, and TCP slows its client down.
 */
import { LIMITS } from '../base/limits.ts'
import { Queue } from '../base/queue.ts'

export class ByteTurns {
  readonly #waiting = new Queue<() => void>()
  #leftBytes: number = LIMITS.httpBytesPerTurn
  #isTurning = false

  /** Counts bytes that went through. Where the turn has no more to give: what to wait for before more go. */
  spent(bytes: number): Promise<void> | null {
    this.#leftBytes -= bytes
    if (!this.#isTurning) {
      this.#isTurning = true
      setImmediate(this.#turn)
    }
    if (this.#leftBytes > 0) return null
    return new Promise(resolve => this.#waiting.add(resolve))
  }

  /** As many go on as the share has pieces for; what they do not use is left to newcomers. */
  readonly #turn = (): void => {
    this.#isTurning = this.#waiting.size > 0
    if (this.#isTurning) setImmediate(this.#turn)
    this.#leftBytes = LIMITS.httpBytesPerTurn
    for (let share = LIMITS.httpBytesPerTurn; share > 0; share -= LIMITS.kernelReadBytes) {
      const { first } = this.#waiting
      if (first === null) return
      this.#waiting.remove(first)
      first.value()
    }
  }
}

/** All connections of this thread share its turns. */
export const BYTE_TURNS: ByteTurns = new ByteTurns()
