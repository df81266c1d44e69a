/** How many answers a batch of requests is owed, and whether all have come. */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import type { CallerMessage } from '../../frames/frame.ts'

/** A request of memcached's that every version of it answers, by one line that nothing else is answered by. */
export const MARK: Uint8Array = Buffer.from('version\r\n')
const MARK_COMMAND = 'version'
const MARK_ANSWER: Uint8Array = Buffer.from('VERSION ')

export class AnswerTally {
  /** Some of the requests may have no answer: how many there are only the mark behind them tells. */
  readonly isMarked: boolean
  /** Answers, or where it is marked those to its mark, that are still to come. */
  #left = 0
  #answers = 0

  constructor(messages: readonly CallerMessage[]) {
    let marks = 1
    this.isMarked = messages.some(({ answers }) => answers === 0)
    for (const message of messages) {
      this.#left += message.answers
      if (message.command === MARK_COMMAND) marks++
    }
    if (this.isMarked) this.#left = marks
  }

  get isDone(): boolean {
    return this.#left === 0
  }

  /** An answer has come that is the client's. Errors: CONNECTION_RESET where there are more than can be. */
  took(): void {
    if (!this.isMarked) this.#left--
    else if (++this.#answers > LIMITS.forwardMarkedAnswersMax)
      throw new SockpoolError('CONNECTION_RESET', 'the peer has sent more than was asked for')
  }

  /** Whether the answer that begins there is the mark behind the batch, and nobody's. */
  isMark(bytes: Uint8Array, from: number): boolean {
    if (!this.isMarked) return false
    for (let index = 0; index < MARK_ANSWER.length; index++)
      if (bytes[from + index] !== MARK_ANSWER[index]) return false
    return --this.#left === 0
  }
}
