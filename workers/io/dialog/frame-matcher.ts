/** Steps that await one message of the target's frame. What answers nobody, a push, is passed over. */
import { SockpoolError } from '../../../src/base/errors.ts'
import type { AnswerCutter, PeerMessage } from '../../../src/frames/frame.ts'
import { StepFault, type StepMatcher, TakenBytes } from './step-matcher.ts'

export class FrameMatcher implements StepMatcher {
  readonly #cutter: AnswerCutter
  readonly #taken = new TakenBytes()
  #captured: Buffer = Buffer.alloc(0)

  constructor(cutter: AnswerCutter) {
    this.#cutter = cutter
  }

  /** The message. */
  get captured(): Buffer {
    return this.#captured
  }

  take(bytes: Buffer): Buffer | null {
    for (let rest = bytes; rest.length > 0; ) {
      const message = this.#next(rest)
      this.#taken.add(rest.subarray(0, message?.taken))
      if (message === null) return null
      rest = rest.subarray(message.taken)
      if (message.kind === 'push') this.#taken.clear()
      else {
        this.#captured = this.#taken.takeAll()
        return rest
      }
    }
    return null
  }

  #next(bytes: Buffer): PeerMessage | null {
    try {
      return this.#cutter.next(bytes)
    } catch (error) {
      const isLong = error instanceof SockpoolError && error.code === 'LIMIT_OVERRUN'
      throw new StepFault(isLong ? 'too_long' : 'broken')
    }
  }
}
