/** Messages that a frame finds, for formats that decode them. */
import { SockpoolError } from '../../base/errors.ts'
import type { AnswerCutter } from '../../frames/frame.ts'
import type { Cutter } from './format.ts'

/** Finds one message of what a peer sends by the peer's frame. */
export class FrameCutter implements Cutter {
  readonly #answers: AnswerCutter
  #seen = 0

  constructor(answers: AnswerCutter) {
    this.#answers = answers
  }

  push(chunk: Uint8Array): number {
    const message = this.#asParse(() => this.#answers.next(chunk))
    if (message !== null) return this.#seen + message.taken
    this.#seen += chunk.length
    return 0
  }

  finish(): number | 'none' | 'partial' {
    if (this.#answers.isBetween) return 'none'
    try {
      return this.#answers.end() === null ? 'none' : this.#seen
    } catch (error) {
      if (error instanceof SockpoolError && error.code === 'FRAME_BROKEN') return 'partial'
      throw error
    }
  }

  /** A frame's search is no plain data. */
  save(): null {
    return null
  }

  /** A frame tells of a connection that cannot go on; here bytes are no value, or one that is too large. */
  #asParse<T>(find: () => T): T {
    try {
      return find()
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      const code = error.code === 'LIMIT_OVERRUN' ? 'PARSE_LIMIT' : 'PARSE_FAILED'
      throw new SockpoolError(code, error.message, { offset: this.#seen, cause: error })
    }
  }
}
