/**
 * Which threads of a Piscina may still run code. Piscina drops a thread from its list when it orders the thread to stop
 * or hears that it crashed, and says so to the caller at once; but the thread itself runs on until a later `exit` event.
 *
 * Piscina tells nobody when it starts a thread. It does so in `run`, when a thread has become ready and when a task is
 * done. So its list is read again right after each of these, before any event of a new thread can have come in: a thread
 * is known here before it can die.
 */
import type { Piscina } from 'piscina'

export class ThreadWatch {
  readonly #piscina: Pick<Piscina, 'threads'>
  /** By the number of the thread; an entry leaves when its thread has exited. */
  readonly #exits = new Map<number, Promise<void>>()

  constructor(piscina: Pick<Piscina, 'threads' | 'on'>) {
    this.#piscina = piscina
    // Piscina emits this just before it may start one more.
    piscina.on('workerCreate', () => queueMicrotask(() => this.look()))
  }

  /** Takes note of threads that are new. To be called when Piscina may have started one. */
  look(): void {
    for (const thread of this.#piscina.threads) {
      const { threadId } = thread
      if (this.#exits.has(threadId)) continue
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#exits.set(threadId, promise)
      thread.once('exit', () => {
        this.#exits.delete(threadId)
        resolve()
      })
    }
  }

  /** Resolves once the thread has exited; at once where it is not there any more. Never rejects. */
  gone(threadId: number): Promise<void> {
    return this.#exits.get(threadId) ?? Promise.resolve()
  }
}
