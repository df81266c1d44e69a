/**
 * Requests and answers of a client that keeps its connection, counted as they pass: what it is still owed when it leaves.
 * It decides for how long the client is waited for, and nothing else: whether the connection serves again is told by what
 * its I/O worker has counted.
 */
import { SockpoolError } from '../../base/errors.ts'
import type { AnswerCutter, CallerMessage, Frame, MessageCutter } from '../../frames/frame.ts'

export class ExchangeCount {
  readonly #requests: MessageCutter<CallerMessage> | null
  readonly #answers: AnswerCutter
  #owed = 0
  /** Something passed that is no message of the frame. */
  #isLost = false

  constructor(frame: Frame) {
    this.#requests = frame.requests()
    this.#answers = frame.answers()
  }

  /** Whether each request has its answer, and none is cut in the middle. */
  get isEven(): boolean {
    if (this.#isLost || this.#requests === null || this.#owed > 0) return false
    return this.#requests.isBetween && this.#answers.isBetween
  }

  asked(bytes: Buffer): void {
    this.#count(() => {
      for (let at = 0; at < bytes.length; ) {
        const request = this.#requests?.next(bytes.subarray(at)) ?? null
        if (request === null) return
        at += request.taken
        this.#owed += request.answers
        this.#answers.asked(request)
      }
    })
  }

  answered(bytes: Buffer): void {
    this.#count(() => {
      for (let at = 0; at < bytes.length; ) {
        const message = this.#answers.next(bytes.subarray(at))
        if (message === null) return
        at += message.taken
        if (message.kind === 'answer') this.#owed--
      }
    })
  }

  #count(count: () => void): void {
    if (this.#isLost) return
    try {
      count()
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      this.#isLost = true
    }
  }
}
