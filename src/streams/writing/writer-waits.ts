/**
 * Who waits on a writer: for room (`drain`), for bytes to be out (`send`), for the end of the connection (`waitClosed`).
 * Any number may wait together.
 */
import { SockpoolError } from '../../base/errors.ts'
import { Queue } from '../../base/queue.ts'
import { Wait, type WaitOptions } from '../../base/wait.ts'
import type { StreamEnd } from '../byte-source.ts'

type Flush = { readonly wait: Wait<void>; readonly offset: number }

export class WriterWaits {
  readonly #accepted: () => number
  readonly #drains = new Queue<Wait<void>>()
  readonly #closes = new Queue<Wait<void>>()
  /** Each with the stream offset up to which bytes must be out; the offsets rise, as those of writes do. */
  readonly #flushes = new Queue<Flush>()
  #interrupted = false

  /** `accepted`: bytes that the writer has accepted so far. */
  constructor(accepted: () => number) {
    this.#accepted = accepted
  }

  get isEmpty(): boolean {
    return this.#drains.size + this.#flushes.size + this.#closes.size === 0
  }

  get hasDrains(): boolean {
    return this.#drains.size > 0
  }

  get hasFlushes(): boolean {
    return this.#flushes.size > 0
  }

  /** The lowest offset that somebody waits for to be out, or null. */
  get nextFlush(): number | null {
    return this.#flushes.first?.value.offset ?? null
  }

  /** Whether a wait ended by time or signal: how much arrived is unknown. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  /** Errors: DRAIN_TIMEOUT, ABORTED; the end of the connection, if it broke. */
  forDrain(options: WaitOptions): Promise<void> {
    const wait = this.#wait('drain()', options, () => this.#drains.remove(entry))
    const entry = this.#drains.add(wait)
    return wait.promise
  }

  /** As `forDrain`; also CONNECTION_RESET where the connection closed before. */
  forFlush(offset: number, options: WaitOptions): Promise<void> {
    const wait = this.#wait('send()', options, () => this.#flushes.remove(entry))
    const entry = this.#flushes.add({ wait, offset })
    return wait.promise
  }

  /** As `forDrain`. */
  forClose(options: WaitOptions): Promise<void> {
    const wait = this.#wait('waitClosed()', options, () => this.#closes.remove(entry))
    const entry = this.#closes.add(wait)
    return wait.promise
  }

  /** There is room. */
  drained(): void {
    for (const wait of taken(this.#drains)) wait.resolve()
  }

  /** All bytes up to this offset are out. */
  flushed(offset: number): void {
    for (const entry of this.#flushes) {
      if (entry.value.offset > offset) return
      this.#flushes.remove(entry)
      entry.value.wait.resolve()
    }
  }

  /** The bytes that are not out yet never will be. */
  failFlushes(error: Error): void {
    for (const { wait } of taken(this.#flushes)) wait.reject(error)
  }

  /** The connection is gone. */
  ended(end: StreamEnd): void {
    if (this.isEmpty) return
    for (const queue of [this.#drains, this.#closes]) {
      for (const wait of taken(queue)) {
        if (end.kind === 'failed') wait.reject(end.error)
        else wait.resolve()
      }
    }
    if (this.hasFlushes) this.failFlushes(lost(end))
  }

  #wait(what: string, options: WaitOptions, forget: () => unknown): Wait<void> {
    return new Wait<void>(what, 'DRAIN_TIMEOUT', options, error => {
      forget()
      this.#interrupted = true
      error.add({ bytesAccepted: this.#accepted() })
    })
  }
}

/** Takes one after the other out of a queue. */
function* taken<T>(queue: Queue<T>): Generator<T, void, undefined> {
  for (const entry of queue) {
    queue.remove(entry)
    yield entry.value
  }
}

/** What a caller is told who needs a connection that has ended so. */
export function lost(end: StreamEnd): Error {
  return end.kind === 'failed' ? end.error : new SockpoolError('CONNECTION_RESET', 'Connection lost')
}
