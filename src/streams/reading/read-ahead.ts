/**
 * Looks at the bytes of a stream before anybody takes them: for whoever hands them on, and may say only later how many
 * have arrived. What was looked at stays unread, whatever becomes of the one who looked.
 *
 * Its wait is none of the reads that a lease is judged by: whoever gives it up leaves no question without its answer.
 */
import type { BufferedReads } from './buffered-reads.ts'
import type { PendingRead } from './pending-read.ts'

export class ReadAhead {
  readonly #pending: PendingRead
  readonly #reads: BufferedReads

  constructor(pending: PendingRead, reads: BufferedReads) {
    this.#pending = pending
    this.#reads = reads
  }

  /**
   * Resolves once more than `count` bytes are there, or the end has come. `count` is asked anew whenever bytes were taken.
   *
   * Errors: READ_BUSY, ABORTED.
   */
  async waitPast(count: () => number, signal: AbortSignal): Promise<void> {
    await this.#pending.run('ahead()', () => this.#reads.past(count()), { signal }, { isAhead: true })
  }

  /** Whether no read waits, and none is kept out. */
  get isIdle(): boolean {
    return this.#pending.waiter === null && !this.#pending.isWaiting
  }

  /** While it is as it was, what is unread now was unread then; bytes that come later are behind that. */
  get changes(): number {
    return this.#reads.changes
  }

  /** Keeps every read out while `wait` waits. Errors: READ_BUSY, and those of `wait`, which leave a question open. */
  async keepOut(name: string, wait: () => Promise<void>): Promise<void> {
    await this.#pending.exclude(name, async () => {
      try {
        await wait()
      } catch (error) {
        this.#pending.interrupt()
        throw error
      }
    })
  }

  /** A copy of at most `max` of the bytes that are there, behind the first `skip` of them. */
  look(skip: number, max: number): Buffer {
    return this.#reads.look(skip, max)
  }

  /** Takes the first `count` bytes, which must be there. */
  drop(count: number): void {
    if (count > 0) this.#reads.skip(count)
  }
}
