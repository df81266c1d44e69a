/**
 * I/O workers that are replaced while they serve. The successor runs before anything changes; then the worker is given
 * nothing new, its listeners move, and it ends once it has served the clients that it has, and with its last connection.
 */
import { errorText } from '../base/error-text.ts'
import { SockpoolError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import type { IoListener } from './io-listener.ts'
import type { IoThread } from './io-thread.ts'

/** A drain under way. */
export type WorkerDrain = {
  /** Of the successor. */
  readonly threadId: number
  /** Resolves when the thread has ended; never rejects. */
  readonly gone: Promise<void>
}

export type WorkerDrainsDeps = {
  readonly start: (index: number) => IoThread
  /** Who serves in this place; null between a death and what follows it. */
  readonly serving: (index: number) => IoThread | null
  /** Has a successor serve. */
  readonly replace: (fresh: IoThread) => void
  readonly listeners: Iterable<IoListener>
}

export class WorkerDrains {
  readonly #deps: WorkerDrainsDeps
  readonly #beside = new Set<IoThread>()
  readonly #underWay = new Map<number, Promise<WorkerDrain>>()

  constructor(deps: WorkerDrainsDeps) {
    this.#deps = deps
  }

  /** Threads that run and serve in no place: those that are starting, and those that are drained. */
  get beside(): Iterable<IoThread> {
    return this.#beside
  }

  get draining(): readonly IoThread[] {
    return [...this.#beside].filter(thread => thread.isRetiring)
  }

  /** A thread has ended. */
  left(thread: IoThread): void {
    this.#beside.delete(thread)
  }

  /** Errors: WORKER_LOST, and all is as it was. */
  begin(index: number): Promise<WorkerDrain> {
    const known = this.#underWay.get(index)
    if (known !== undefined) return known
    const begun = this.#begin(index)
    const over = (): void => void this.#underWay.delete(index)
    this.#underWay.set(index, begun)
    // Its failure is for whoever awaits the drain.
    void begun.then(({ gone }) => gone).then(over, over)
    return begun
  }

  async #begin(index: number): Promise<WorkerDrain> {
    const worker = this.#deps.serving(index)
    if (worker === null) throw lostWorker('the I/O worker is dead, and is being replaced')
    const fresh = await this.#started(index)
    if (this.#deps.serving(index) !== worker) {
      await fresh.stop(LIMITS.workerStopMs)
      throw lostWorker('the I/O worker died before it could be drained')
    }
    this.#beside.delete(fresh)
    this.#beside.add(worker)
    this.#deps.replace(fresh)
    worker.retire()
    const moved = Promise.all([...this.#deps.listeners].map(listener => listener.move(fresh)))
    const end = async (): Promise<void> => {
      // Clients that have come may need connections yet.
      await moved
      await worker.waitEmpty()
      await worker.stop(LIMITS.workerStopMs)
    }
    return { threadId: fresh.threadId, gone: end() }
  }

  async #started(index: number): Promise<IoThread> {
    let fresh: IoThread
    try {
      fresh = this.#deps.start(index)
    } catch (error) {
      throw lostWorker(`its successor could not be started: ${errorText(error)}`)
    }
    this.#beside.add(fresh)
    if (await fresh.started) return fresh
    throw lostWorker('its successor ended at once')
  }
}

function lostWorker(message: string): SockpoolError {
  return new SockpoolError('WORKER_LOST', message, { retryable: true })
}
