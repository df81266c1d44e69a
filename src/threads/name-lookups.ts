/** The pool thread's half of the look-ups that an I/O worker makes for it, beside those of its dials. */
import { reviveError } from '../base/errors.ts'
import type { FoundMessage, NameAnswer, ToIoWorker, UnfoundMessage } from './protocol.ts'

type Waiting = { readonly resolve: (answer: NameAnswer) => void; readonly reject: (error: Error) => void }

export class NameLookups {
  readonly #tell: (message: ToIoWorker) => void
  readonly #waiting = new Map<number, Waiting>()
  #next = 1
  #lost: Error | null = null

  constructor(tell: (message: ToIoWorker) => void) {
    this.#tell = tell
  }

  /** As `FreshLookups.lookUp`. Errors: DNS_FAILED, QUEUE_FULL, WORKER_LOST. */
  lookUp(name: string, known: readonly string[]): Promise<NameAnswer> {
    if (this.#lost) return Promise.reject(this.#lost)
    const request = this.#next++
    const { promise, resolve, reject } = Promise.withResolvers<NameAnswer>()
    this.#waiting.set(request, { resolve, reject })
    this.#tell({ kind: 'lookUp', request, name, known })
    return promise
  }

  received(message: FoundMessage | UnfoundMessage): void {
    const waiting = this.#waiting.get(message.request)
    this.#waiting.delete(message.request)
    if (message.kind === 'found') waiting?.resolve(message.answer)
    else waiting?.reject(reviveError(message.error))
  }

  /** The thread is gone. */
  fail(error: Error): void {
    this.#lost = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
