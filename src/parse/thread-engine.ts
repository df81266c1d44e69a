/**
 * Threads of this process that perform tasks: a Piscina, which gets a task only when a thread is free for it. Its own
 * queue has traps that a bounded, cancellable service cannot live with: a task with a signal waits outside its bound,
 * tasks that wait when the last thread dies wait for ever (there are no threads to spare here: the minimum is 0), and
 * it knows no tenants.
 */
import { Piscina } from 'piscina'
import { isExhaustion } from '../base/descriptors.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { ParseThreadRow } from '../base/parse-thread-row.ts'
import type { ParseReply, ParseTask } from './formats/parse-task.ts'
import type { TaskEngine } from './task-engine.ts'
import { ThreadSeats } from './thread-seats.ts'
import { ThreadWatch } from './thread-watch.ts'
import { type Death, died, notStarted } from './worker-death.ts'

export type ThreadEngineOptions = {
  /** The worker's entry file. */
  readonly file: URL
  readonly threadsMax: number
  /** MiB of heap of each thread; default: Node's own. */
  readonly heapMiB?: number | undefined
}

/** A task that Piscina has. `fail` ends the wait for it, whatever Piscina makes of it. */
type Performing = { readonly task: ParseTask; readonly fail: (error: SockpoolError) => void }

export class ThreadEngine implements TaskEngine {
  readonly #piscina: Piscina<ParseTask, ParseReply>
  readonly #threads: ThreadWatch
  readonly #seats = new ThreadSeats()
  readonly #performing = new Set<Performing>()

  constructor({ file, threadsMax, heapMiB }: ThreadEngineOptions) {
    this.#piscina = new Piscina({
      filename: file.href,
      minThreads: 0,
      maxThreads: threadsMax,
      idleTimeout: LIMITS.parseIdleMs,
      recordTiming: false,
      loadBalancer: this.#seats.choose,
      // A program given by --eval with --input-type would hand this flag on, and a thread with a file refuses it.
      ...(process.execArgv.some(flag => flag.startsWith('--input-type')) ? { execArgv: [] } : {}),
      ...(heapMiB === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMiB } }),
    })
    this.#piscina.on('error', (error: Error) => this.#onStrayError(error))
    this.#threads = new ThreadWatch(this.#piscina)
  }

  get size(): number {
    return this.#piscina.threads.length
  }

  async perform(task: ParseTask, signal: AbortSignal, transfer: readonly ArrayBuffer[]): Promise<ParseReply> {
    const { promise, resolve, reject } = Promise.withResolvers<ParseReply>()
    // What nobody waits for any more is aborted in Piscina too, or it would be run by the next thread that starts.
    const kill = new AbortController()
    const onAbort = (): void => kill.abort()
    const performing: Performing = {
      task,
      fail: error => {
        reject(error)
        kill.abort()
      },
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#performing.add(performing)
    try {
      this.#piscina.run(task, { signal: kill.signal, transferList: [...transfer] }).then(resolve, reject)
      this.#threads.look()
      return await promise
    } catch (error) {
      throw adopted(error, task)
    } finally {
      this.#performing.delete(performing)
      signal.removeEventListener('abort', onAbort)
      this.#threads.look()
    }
  }

  gone(threadId: number): Promise<void> {
    return this.#threads.gone(threadId)
  }

  rows(work: ParseThreadRow['work']): ParseThreadRow[] {
    return this.#seats.rows(this.#piscina.threads, work)
  }

  async close(): Promise<void> {
    // Not Piscina's close: that reports a task that takes too long as an error of its own.
    await this.#piscina.destroy()
  }

  /** A thread failed that had no task, most likely while starting: then those that wait for it wait in vain. */
  #onStrayError(error: Error): void {
    if (this.#piscina.threads.length > 0) return
    for (const { task, fail } of this.#performing) fail(threadNotStarted(error, task))
  }
}

/** What Piscina rejects with: a performed task never rejects, so its thread is gone or never got the task. */
function adopted(cause: unknown, task: ParseTask): SockpoolError {
  if (cause instanceof SockpoolError) return cause
  if (isStartFailure(cause)) return threadNotStarted(cause, task)
  if (cause instanceof DOMException && cause.name === 'DataCloneError')
    return new SockpoolError('INVALID_REQUEST', `the task cannot be cloned: ${cause.message}`, { cause })
  return died(reasonOfDeath(cause), cause)
}

/** Whether the thread never came to run anything: the system had no thread, descriptor or memory to give. */
function isStartFailure(cause: unknown): boolean {
  return (
    isExhaustion(cause) ||
    (cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_INIT_FAILED')
  )
}

/** A module's code may be run later all the same, where Piscina has kept its task. */
function threadNotStarted(cause: unknown, { kind }: ParseTask): SockpoolError {
  return notStarted('thread', cause, kind !== 'run')
}

function reasonOfDeath(cause: unknown): Death {
  if (!(cause instanceof Error)) return 'crashed'
  if ('code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out_of_memory'
  return cause.message.startsWith('worker exited') ? 'exited' : 'crashed'
}
