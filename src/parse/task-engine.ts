/**
 * What a TaskPool has its tasks performed by: threads of this process, or processes of their own. The pool alone knows
 * queues, shares, deadlines and signals; it gives an engine no more tasks at once than there may be workers.
 */
import type { ParseThreadRow } from '../base/parse-thread-row.ts'
import type { ParseReply, ParseTask } from './formats/parse-task.ts'

export interface TaskEngine {
  /** Workers that there are now; they start when needed and end when idle. */
  readonly size: number

  /**
   * Performs the task on a worker that nobody else has.
   *
   * `signal` ends the task's worker, and then the promise rejects with whatever. `transfer`: memory that goes along.
   * Errors: QUEUE_FULL where no worker can start (`reason`), PARSE_FAILED when the worker died (`reason` exited,
   *   out_of_memory, crashed), INVALID_REQUEST for a task that cannot be cloned.
   */
  perform(task: ParseTask, signal: AbortSignal, transfer: readonly ArrayBuffer[]): Promise<ParseReply>

  /** Resolves once the thread of this number can run no more code. Never rejects. */
  gone(threadId: number): Promise<void>

  /** A row for each thread that there is just now; a process has none. */
  rows(work: ParseThreadRow['work']): ParseThreadRow[]

  /** Ends all workers, and resolves when they are gone. */
  close(): Promise<void>
}
