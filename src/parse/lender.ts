/**
 * The lender's side of one loan. It runs on the pool's thread, while a parse worker is the borrower.
 *
 *   callOff ► the task was not begun and never will be, so nobody has the reader
 *   recall  ► the borrower's waits end, and it gives the reader back
 *   hurry   ► likewise, but a task that was not begun will still be, and does what it can do without waiting
 */
import { Channel } from '../channel/channel.ts'
import { allocateLoan, LoanWords } from '../channel/loan-words.ts'
import type { LentSource } from '../streams/channel-ends/lent-source.ts'
import type { LoanTicket } from './formats/parse-task.ts'

export class Lender {
  readonly ticket: LoanTicket
  readonly #words: LoanWords
  readonly #channel: Channel
  #isCalledOff = false

  /**
   * `deadline`: the instant of `sharedNow()` at which reads of the borrower stop blocking. `allowedMs`: the milliseconds
   * that were allowed until then, which errors name.
   */
  constructor(lent: LentSource, deadline: number, allowedMs: number) {
    const words = allocateLoan()
    this.ticket = { lent, words, deadline, allowedMs }
    this.#words = LoanWords.of(words)
    this.#channel = new Channel(lent.memory)
  }

  /** Calls the task off if nobody has begun it; true where the reader is as it was lent. Safe to call twice. */
  callOff(): boolean {
    this.#isCalledOff ||= this.#words.callOff()
    return this.#isCalledOff
  }

  /** Asks the borrower for the reader; false where it never began, and so has none to give back. */
  recall(): boolean {
    if (this.callOff()) return false
    this.hurry()
    return true
  }

  /** Asks the borrower not to wait for its peer, now or later. */
  hurry(): void {
    this.#words.recall()
    this.#channel.wakeBlocked()
  }

  /** The number of the thread that began the task. */
  get borrower(): number {
    return this.#words.borrower
  }
}
