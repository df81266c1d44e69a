/** The threads of this process that were started while it watched, so that one can be ended from outside. */
import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'

export class OwnThreads {
  readonly #workers = new Map<number, Worker>()
  readonly #onWorker = (worker: Worker): void => {
    const { threadId } = worker
    this.#workers.set(threadId, worker)
    worker.once('exit', () => this.#workers.delete(threadId))
  }

  constructor() {
    process.on('worker', this.#onWorker)
  }

  stop(): void {
    process.off('worker', this.#onWorker)
  }

  /** Resolves when it is gone. */
  async kill(threadId: number): Promise<void> {
    const worker = this.#workers.get(threadId)
    if (worker === undefined) throw new Error(`no thread ${threadId} was started here`)
    const exited = once(worker, 'exit')
    void worker.terminate()
    await exited
  }
}
