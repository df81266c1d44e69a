/**
 * Parse workers of one kind: an engine that performs tasks, behind a queue of our own. It runs on the thread that owns
 * the pool. The engine gets a task only when a worker is free for it; how long a task may take, whose turn it is and
 * what became of it are known here alone, whether its worker is a thread or a process.
 */
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { PlaceTally } from '../base/parse-tally.ts'
import type { ParseThreadRow } from '../base/parse-thread-row.ts'
import { aborted, Wait } from '../base/wait.ts'
import type { ParseReply, ParseTask } from './formats/parse-task.ts'
import type { TaskEngine } from './task-engine.ts'
import type { TaskCall, TaskRecord, TaskState } from './task-record.ts'
import { type QueueLoad, TenantQueue } from './tenant-queue.ts'

export type TaskPoolOptions = {
  /** Workers at the most: threads, or processes. */
  readonly threadsMax: number
  /** Workers that one tenant's tasks may hold at once. */
  readonly tenantThreadsMax: number
  /** Tasks that may wait for a worker. */
  readonly queueMax: number
  /** Counts how long tasks wait, and how long they hold a worker; default: nobody does. */
  readonly tally?: PlaceTally | null
}

export type TaskPoolStats = {
  /** Workers that there are now: threads, or processes. */
  readonly threads: number
  readonly threadsMax: number
  readonly running: number
  readonly waiting: number
  /** Tasks that replied, with a value or an error, before anybody aborted them. */
  readonly completed: number
  /** Tasks whose worker died. */
  readonly died: number
  readonly timedOut: number
  /** Tasks whose signal was aborted before they had replied, whatever became of them. */
  readonly aborted: number
  /** Tasks that found the queue full. */
  readonly refused: number
}

export class TaskPool {
  readonly #options: TaskPoolOptions
  readonly #engine: TaskEngine
  readonly #waiting = new TenantQueue<TaskRecord>()
  /** The tasks that hold a thread: the running and the recalled. */
  readonly #running = new Set<TaskRecord>()
  #closing: Promise<void> | null = null
  #completed = 0
  #died = 0
  #timedOut = 0
  #aborted = 0
  #refused = 0

  constructor(engine: TaskEngine, options: TaskPoolOptions) {
    this.#engine = engine
    this.#options = options
  }

  /**
   * Performs the task on a worker of the pool.
   *
   * Errors: QUEUE_FULL (also where no worker can start: `reason`), PARSE_TIMEOUT (`reason` queued: nothing was begun;
   *   running: its worker was ended), ABORTED (the same), PARSE_FAILED when the worker died (`reason` exited,
   *   out_of_memory, crashed), INVALID_REQUEST for a task that cannot be cloned, DRAINING.
   */
  async run(task: ParseTask, call: TaskCall): Promise<ParseReply> {
    if (this.#closing !== null) throw draining()
    const { what, timeoutMs, allowedMs, signal } = call
    if (signal?.aborted) throw aborted(what, signal)
    const wait = new Wait<ParseReply>(what, 'PARSE_TIMEOUT', { timeoutMs, allowedMs }, error =>
      this.#timeOut(record, error),
    )
    const record: TaskRecord = {
      task,
      call,
      wait,
      kill: new AbortController(),
      sinceMs: 0,
      state: { kind: 'new' },
    }
    const onAbort = (): void => {
      if (signal && !wait.settled) this.#abort(record, aborted(what, signal))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      this.#admit(record)
      return await wait.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Resolves once the thread of this number can run no more code. Never rejects. */
  threadGone(threadId: number): Promise<void> {
    return this.#engine.gone(threadId)
  }

  /** A row for each thread that there is just now. */
  rows(work: ParseThreadRow['work']): ParseThreadRow[] {
    return this.#engine.rows(work)
  }

  stats(): TaskPoolStats {
    return {
      threads: this.#engine.size,
      threadsMax: this.#options.threadsMax,
      running: this.#running.size,
      waiting: this.#waiting.size,
      completed: this.#completed,
      died: this.#died,
      timedOut: this.#timedOut,
      aborted: this.#aborted,
      refused: this.#refused,
    }
  }

  /** Refuses what waits, gives what runs LIMITS.parseCloseMs to finish, and ends all workers. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const record of [...this.#waiting]) {
      this.#become(record, { kind: 'ended' })
      record.wait.reject(draining())
    }
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, LIMITS.parseCloseMs)
    const replies = [...this.#running].map(record => record.wait.promise)
    await Promise.race([Promise.allSettled(replies), late])
    clearTimeout(timer)
    await this.#engine.close()
  }

  /** The one place where a task's state changes; what belongs to the state before is let go of here. */
  #become(record: TaskRecord, state: TaskState): void {
    const before = record.state
    if (before.kind === 'queued') {
      this.#waiting.remove(before.place)
      if (before.timer !== null) clearTimeout(before.timer)
    }
    if (before.kind === 'recalled') clearTimeout(before.graceTimer)
    this.#count(record, state)
    record.state = state
    if (state.kind === 'running' || state.kind === 'recalled') this.#running.add(record)
    else this.#running.delete(record)
  }

  #count(record: TaskRecord, next: TaskState): void {
    const { tally = null } = this.#options
    // One that is recalled holds its worker on.
    if (tally === null || next.kind === 'recalled') return
    const nowMs = performance.now()
    if (record.state.kind === 'queued') tally.waits.observe(nowMs - record.sinceMs)
    else if (record.state.kind !== 'new') tally.tasks.observe(nowMs - record.sinceMs)
    record.sinceMs = nowMs
  }

  #admit(record: TaskRecord): void {
    const { tenant, queueMs, what } = record.call
    const expire = (): void =>
      this.#timeOut(record, new SockpoolError('PARSE_TIMEOUT', `${what} waited ${queueMs} ms for a thread`))
    const timer = queueMs === undefined || queueMs > LIMITS.timerMsMax ? null : setTimeout(expire, queueMs)
    const place = this.#waiting.add(tenant, record, bytesOf(record))
    this.#become(record, { kind: 'queued', place, timer })
    this.#dispatch()
    if (record.state.kind !== 'queued') return
    const full = this.#fullness(tenant)
    if (full === null) return
    this.#refused += 1
    this.#become(record, { kind: 'ended' })
    record.wait.reject(new SockpoolError('QUEUE_FULL', full))
  }

  /** Why no more may wait, or null. One tenant has half of the room, so that others find some. */
  #fullness(tenant: string | undefined): string | null {
    const all = { size: this.#options.queueMax, bytes: LIMITS.parseQueueBytesMax }
    const over = overrun(this.#waiting.load, all)
    if (over !== null) return `${over} parse tasks are waiting already`
    if (tenant === undefined) return null
    const half = { size: Math.ceil(all.size / 2), bytes: all.bytes / 2 }
    const own = overrun(this.#waiting.loadOf(tenant), half)
    return own === null ? null : `${own} parse tasks of this tenant are waiting already`
  }

  /** Starts what may start; a tenant at its share lets others pass. Where some still wait, nobody else may. */
  #dispatch(): void {
    while (this.#running.size < this.#options.threadsMax) {
      const record = this.#waiting.next(tenant => this.#mayRun(tenant))
      if (record === null) break
      this.#become(record, { kind: 'running' })
      // Nobody awaits this promise: how the task ends is told by its wait, and a fault of this pool by #onFault.
      this.#perform(record).catch((error: unknown) => this.#onFault(record, error))
    }
    if (this.#waiting.size > 0) for (const record of this.#running) this.#hurry(record)
  }

  #mayRun(tenant: string | undefined): boolean {
    if (tenant === undefined) return true
    let held = 0
    for (const other of this.#running) if (other.call.tenant === tenant) held += 1
    return held < this.#options.tenantThreadsMax
  }

  async #perform(record: TaskRecord): Promise<void> {
    const { task, call, wait, kill } = record
    try {
      const reply = await this.#engine.perform(task, kill.signal, call.transfer ?? [])
      if (record.state.kind === 'running') this.#completed += 1
      wait.resolve(reply)
    } catch (error) {
      if (!wait.settled) wait.reject(this.#adopted(error))
    } finally {
      this.#become(record, { kind: 'ended' })
      this.#dispatch()
    }
  }

  /** The task's signal was aborted. It runs in the signal's event, where a throw would end the process. */
  #abort(record: TaskRecord, error: SockpoolError): void {
    this.#aborted += 1
    const { call, wait, state } = record
    if (state.kind !== 'running' || call.recall === undefined) return this.#end(record, error)
    const graceMs = call.graceMs ?? LIMITS.parseGraceMs
    const graceTimer = setTimeout(() => this.#end(record, error), graceMs)
    this.#become(record, { kind: 'recalled', graceTimer })
    // A task that was not begun has nothing to give back: only its thread has still to say that it passed it over.
    if (!this.#recall(record, call.recall))
      wait.reject(Object.assign(error, { reason: 'queued', retryable: true }))
  }

  #hurry(record: TaskRecord): void {
    try {
      record.call.hurry?.()
    } catch (error) {
      this.#onFault(record, error)
    }
  }

  #recall(record: TaskRecord, recall: () => boolean): boolean {
    try {
      return recall()
    } catch (error) {
      this.#onFault(record, error)
      return false
    }
  }

  #timeOut(record: TaskRecord, error: SockpoolError): void {
    this.#timedOut += 1
    this.#end(record, error)
  }

  /** Ends the task wherever it is; who waits for it is told where that was. */
  #end(record: TaskRecord, error: SockpoolError): void {
    const { wait, kill } = record
    const isQueued = record.state.kind === 'queued'
    if (!wait.settled)
      wait.reject(Object.assign(error, { reason: isQueued ? 'queued' : 'running', retryable: isQueued }))
    if (isQueued) this.#become(record, { kind: 'ended' })
    else kill.abort()
  }

  /** What the engine rejects with. */
  #adopted(cause: unknown): SockpoolError {
    if (this.#closing !== null) return draining()
    const error = SockpoolError.from(cause)
    if (error.code === 'PARSE_FAILED') this.#died += 1
    return error
  }

  /** A fault of this pool, or of a `recall` or `hurry`: the caller hears of it, or the operator where the caller has a reply. */
  #onFault(record: TaskRecord, cause: unknown): void {
    if (record.wait.settled) process.emitWarning(SockpoolError.from(cause))
    else record.wait.reject(SockpoolError.from(cause))
  }
}

/** What of the bound is used up, as a quantity of tasks; null where nothing is. One task may wait whatever its bytes. */
function overrun({ size, bytes }: QueueLoad, most: QueueLoad): string | null {
  if (size > most.size) return `${most.size}`
  return size > 1 && bytes > most.bytes ? `${most.bytes} bytes of` : null
}

function bytesOf({ call: { transfer = [] } }: TaskRecord): number {
  return transfer.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

export function draining(): SockpoolError {
  return new SockpoolError('DRAINING', 'the parse workers are closing')
}
