/**
 * Parse workers of one kind: a Piscina behind a queue of our own. It runs on the thread that owns the pool.
 *
 * Piscina gets a task only when a thread is free for it. Its own queue has traps that a bounded, cancellable service
 * cannot live with: a task with a signal waits outside its bound, tasks that wait when the last thread dies wait
 * for ever (there are no threads to spare here: the minimum is 0), and it knows no tenants.
 *
 *   run ► #waiting ─(a thread is free, and the tenant is below its share)► #running ► Piscina ► reply
 *            └ time, signal: leaves the queue                   └ time, signal: its thread is ended
 */
import { Piscina } from 'piscina'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { aborted, Wait } from '../base/wait.ts'
import type { ParseReply, ParseTask } from './formats/parse-task.ts'

export type TaskPoolOptions = {
  /** The worker's entry file. */
  readonly file: URL
  /** Threads at the most; they start when needed and end when idle. */
  readonly threadsMax: number
  /** Threads that one tenant's tasks may hold at once. */
  readonly tenantThreadsMax: number
  /** Tasks that may wait for a thread. */
  readonly queueMax: number
  /** MiB of heap of each thread; default: Node's own. */
  readonly heapMiB?: number | undefined
}

export type TaskCall = {
  /** Names the wait in its errors. */
  readonly what: string
  /** Milliseconds from now until the task is called off; a thread that runs it is ended. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Whose task it is; default: nobody's, without a share. */
  readonly tenant?: string | undefined
  readonly transfer?: readonly ArrayBuffer[] | undefined
}

export type TaskPoolStats = {
  readonly threads: number
  readonly threadsMax: number
  readonly running: number
  readonly waiting: number
  /** Tasks that replied, with a value or an error. */
  readonly completed: number
  /** Tasks whose thread died. */
  readonly died: number
  readonly timedOut: number
  readonly aborted: number
  /** Tasks that found the queue full. */
  readonly refused: number
}

type Entry = {
  readonly task: ParseTask
  readonly call: TaskCall
  readonly wait: Wait<ParseReply>
  /** Ends the thread that runs the task. */
  readonly kill: AbortController
}

export class TaskPool {
  readonly #options: TaskPoolOptions
  readonly #piscina: Piscina<ParseTask, ParseReply>
  readonly #running = new Set<Entry>()
  #waiting: Entry[] = []
  #closing: Promise<void> | null = null
  #completed = 0
  #died = 0
  #timedOut = 0
  #aborted = 0
  #refused = 0

  constructor(options: TaskPoolOptions) {
    this.#options = options
    this.#piscina = new Piscina({
      filename: options.file.href,
      minThreads: 0,
      maxThreads: options.threadsMax,
      idleTimeout: LIMITS.parseIdleMs,
      recordTiming: false,
      // A program given by --eval with --input-type would hand this flag on, and a thread with a file refuses it.
      ...(process.execArgv.some(flag => flag.startsWith('--input-type')) ? { execArgv: [] } : {}),
      ...(options.heapMiB === undefined
        ? {}
        : { resourceLimits: { maxOldGenerationSizeMb: options.heapMiB } }),
    })
    this.#piscina.on('error', (error: Error) => this.#onStrayError(error))
  }

  /**
   * Performs the task on a thread of the pool.
   *
   * Errors: QUEUE_FULL, PARSE_TIMEOUT (`reason` queued: nothing was begun; running: its thread was ended), ABORTED,
   *   PARSE_FAILED when the thread died (`reason` exited, out_of_memory, crashed), INVALID_REQUEST for a task that
   *   cannot be cloned, DRAINING.
   */
  async run(task: ParseTask, call: TaskCall): Promise<ParseReply> {
    if (this.#closing !== null) throw draining()
    if (call.signal?.aborted) throw aborted(call.what, call.signal)
    const wait = new Wait<ParseReply>(call.what, 'PARSE_TIMEOUT', call, error => this.#callOff(entry, error))
    const entry: Entry = { task, call, wait, kill: new AbortController() }
    this.#waiting.push(entry)
    this.#dispatch()
    if (this.#waiting.length > this.#options.queueMax) {
      this.#waiting.pop()
      this.#refused += 1
      wait.reject(
        new SockpoolError('QUEUE_FULL', `${this.#options.queueMax} parse tasks are waiting already`),
      )
    }
    return wait.promise
  }

  stats(): TaskPoolStats {
    return {
      threads: this.#piscina.threads.length,
      threadsMax: this.#options.threadsMax,
      running: this.#running.size,
      waiting: this.#waiting.length,
      completed: this.#completed,
      died: this.#died,
      timedOut: this.#timedOut,
      aborted: this.#aborted,
      refused: this.#refused,
    }
  }

  /** Refuses what waits, gives what runs LIMITS.parseCloseMs to finish, and ends all threads. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const entry of this.#waiting.splice(0)) entry.wait.reject(draining())
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, LIMITS.parseCloseMs)
    const replies = [...this.#running].map(entry => entry.wait.promise)
    await Promise.race([Promise.allSettled(replies), late])
    clearTimeout(timer)
    // Not Piscina's close: that reports a task that takes too long as an error of its own.
    await this.#piscina.destroy()
  }

  /** Starts what may start, in the order of arrival; a tenant at its share lets others pass. */
  #dispatch(): void {
    while (this.#running.size < this.#options.threadsMax) {
      const index = this.#waiting.findIndex(entry => this.#mayRun(entry))
      const [entry] = index === -1 ? [] : this.#waiting.splice(index, 1)
      if (entry === undefined) return
      this.#running.add(entry)
      void this.#perform(entry)
    }
  }

  #mayRun(entry: Entry): boolean {
    const { tenant } = entry.call
    if (tenant === undefined) return true
    let held = 0
    for (const other of this.#running) if (other.call.tenant === tenant) held += 1
    return held < this.#options.tenantThreadsMax
  }

  async #perform(entry: Entry): Promise<void> {
    const { task, call, wait, kill } = entry
    try {
      const transferList = [...(call.transfer ?? [])]
      const reply = await this.#piscina.run(task, { signal: kill.signal, transferList })
      this.#completed += 1
      wait.resolve(reply)
    } catch (error) {
      if (!wait.settled) wait.reject(this.#adopted(error))
    }
    this.#running.delete(entry)
    this.#dispatch()
  }

  #callOff(entry: Entry, error: SockpoolError): void {
    if (error.code === 'ABORTED') this.#aborted += 1
    else this.#timedOut += 1
    const queued = this.#waiting.includes(entry)
    Object.assign(error, { reason: queued ? 'queued' : 'running', retryable: queued })
    if (queued) this.#waiting = this.#waiting.filter(other => other !== entry)
    else entry.kill.abort()
  }

  /** What Piscina rejects with: a performed task never rejects, so its thread is gone or never got the task. */
  #adopted(cause: unknown): SockpoolError {
    if (this.#closing !== null) return draining()
    const error = SockpoolError.from(cause)
    if (cause instanceof DOMException && cause.name === 'DataCloneError')
      return new SockpoolError('INVALID_REQUEST', `the task cannot be cloned: ${error.message}`, { cause })
    this.#died += 1
    return new SockpoolError('PARSE_FAILED', `the parse worker died: ${error.message}`, {
      reason: reasonOfDeath(cause),
      cause,
    })
  }

  /** A thread failed that had no task, most likely while starting: then those that wait for it wait in vain. */
  #onStrayError(error: Error): void {
    if (this.#piscina.threads.length > 0) return
    for (const entry of this.#running) {
      if (!entry.wait.settled) entry.wait.reject(this.#adopted(error))
      entry.kill.abort()
    }
  }
}

function reasonOfDeath(cause: unknown): string {
  if (!(cause instanceof Error)) return 'crashed'
  if ('code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out_of_memory'
  return cause.message.startsWith('worker exited') ? 'exited' : 'crashed'
}

function draining(): SockpoolError {
  return new SockpoolError('DRAINING', 'the parse workers are closing')
}
