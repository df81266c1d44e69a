/**
 * One task of a TaskPool, and how far it is.
 *
 *   from       to         when
 *   new        queued     at once
 *   queued     running    a thread is free, and the tenant is below its share
 *   queued     ended      its time is up, its signal is aborted, the queue is full, or the pool closes
 *   running    recalled   its signal is aborted, and `recall` has asked it to reply
 *   running    ended      it has replied or its thread died; time and a signal without `recall` end the thread
 *   recalled   ended      it has replied or its thread died; the end of its grace ends the thread
 */
import type { Wait } from '../base/wait.ts'
import type { ParseReply, ParseTask } from './formats/parse-task.ts'
import type { QueuePlace } from './tenant-queue.ts'

export type TaskCall = {
  /** Names the wait in its errors. */
  readonly what: string
  /** Milliseconds from now until the task is called off; a thread that runs it is ended. */
  readonly timeoutMs: number
  /** Milliseconds that the caller gave, which errors name; default: `timeoutMs`. */
  readonly allowedMs?: number | undefined
  /** Calls off the task; a thread that runs it is ended, unless `recall` makes the task reply in time. */
  readonly signal?: AbortSignal | undefined
  /**
   * Asks a running task to reply at once. It has `graceMs` for that, and its reply stands. Returns false where
   * the task has not begun and will do nothing; then its caller does not wait. Default: its thread is ended at once.
   */
  readonly recall?: (() => boolean) | undefined
  /** Milliseconds that a recalled task has to reply; default LIMITS.parseGraceMs. */
  readonly graceMs?: number | undefined
  /** Milliseconds that the task may wait for a thread; default: its whole time. */
  readonly queueMs?: number | undefined
  /** Asks a task that runs, or is about to, to reply as soon as it would wait: others have no thread. */
  readonly hurry?: (() => void) | undefined
  /** Whose task it is; default: nobody's, without a share. */
  readonly tenant?: string | undefined
  readonly transfer?: readonly ArrayBuffer[] | undefined
}

export type TaskState =
  | { readonly kind: 'new' }
  | {
      readonly kind: 'queued'
      readonly place: QueuePlace<TaskRecord>
      /** Ends the wait for a thread. */
      readonly timer: NodeJS.Timeout | null
    }
  | { readonly kind: 'running' }
  /** It runs still, and is to reply before the timer fires. */
  | { readonly kind: 'recalled'; readonly graceTimer: NodeJS.Timeout }
  | { readonly kind: 'ended' }

export type TaskRecord = {
  readonly task: ParseTask
  readonly call: TaskCall
  readonly wait: Wait<ParseReply>
  /** Ends the thread that runs the task. */
  readonly kill: AbortController
  /** On the monotonic clock: when its present state began. */
  sinceMs: number
  state: TaskState
}
