/**
 * What the two sides of a loan tell each other while a reading end is lent to another thread.
 *
 *   word  name       changed by               meaning
 *   0     flags      both sides, by `or`      TAKEN: the task was begun or called off, whichever side set it first
 *                                             RECALLED: the lender wants the reading end back
 *   1     borrower   borrower, before TAKEN   the number of the thread that began the task
 *
 * A flag that is set stays set, so neither side can undo what the other has said. TAKEN decides between two threads:
 * without it a task that is called off while its thread still starts would count as begun, and what was lent to it as
 * lost.
 *
 * A recall loses no wake-up. The lender sets RECALLED, and then takes away the wish that the borrower blocks on and
 * wakes it (`Channel.wakeBlocked`). The borrower stores its wish, and then looks at RECALLED before it blocks. So one of
 * the two always sees the other.
 */
import { raise } from './monotone.ts'
import { SharedWords, type Words } from './words.ts'

const FLAGS = 0
const BORROWER = 1
const LOAN_WORDS = 2

const TAKEN = 1
const RECALLED = 2

export type LoanMemory = SharedArrayBuffer

export function allocateLoan(): LoanMemory {
  return new SharedArrayBuffer(LOAN_WORDS * Int32Array.BYTES_PER_ELEMENT)
}

export class LoanWords {
  readonly #words: Words

  constructor(words: Words) {
    this.#words = words
  }

  static of(memory: LoanMemory): LoanWords {
    return new LoanWords(new SharedWords(new Int32Array(memory), 0, 1))
  }

  /** Borrower only, once: begins the task on the thread of this number; false where the lender has called it off. */
  begin(threadId: number): boolean {
    this.#words.store(BORROWER, threadId)
    return this.#take()
  }

  /** Lender only, once: true where the task was not begun, and now never will be. */
  callOff(): boolean {
    return this.#take()
  }

  /** The number of the thread that began the task; 0 while none has. */
  get borrower(): number {
    return this.#words.load(BORROWER)
  }

  /** Lender only. Whoever blocks is to be woken afterwards, not before. */
  recall(): void {
    raise(this.#words, FLAGS, RECALLED)
  }

  /** Whether the lender wants the reading end back. A borrower that blocks looks once its wish is stored. */
  get isRecalled(): boolean {
    return (this.#words.load(FLAGS) & RECALLED) !== 0
  }

  /** True for the first call on either side, false ever after. */
  #take(): boolean {
    return (raise(this.#words, FLAGS, TAKEN) & TAKEN) === 0
  }
}
