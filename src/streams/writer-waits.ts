/**
 * Who waits on a writer: for room (`drain`), for bytes to be out (`send`), for the end of the connection (`waitClosed`).
 * Any number may wait together.
 */
import { SockpoolError } from '../base/errors.ts'
import { Wait, type WaitOptions } from '../base/wait.ts'
import type { StreamEnd } from './byte-source.ts'

export class WriterWaits {
  readonly #accepted: () => number
  readonly #drains = new Set<Wait<void>>()
  readonly #closes = new Set<Wait<void>>()
  /** By the stream offset up to which bytes must be out; the offsets rise, as those of writes do. */
  readonly #flushes = new Map<Wait<void>, number>()
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
    const [first = null] = this.#flushes.values()
    return first
  }

  /** Whether a wait ended by time or signal: how much arrived is unknown. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  /** Errors: DRAIN_TIMEOUT, ABORTED; the end of the connection, if it broke. */
  forDrain(options: WaitOptions): Promise<void> {
    const wait = this.#wait('drain()', options, () => this.#drains.delete(wait))
    this.#drains.add(wait)
    return wait.promise
  }

  /** As `forDrain`; also CONNECTION_RESET where the connection closed before. */
  forFlush(offset: number, options: WaitOptions): Promise<void> {
    const wait = this.#wait('send()', options, () => this.#flushes.delete(wait))
    this.#flushes.set(wait, offset)
    return wait.promise
  }

  /** As `forDrain`. */
  forClose(options: WaitOptions): Promise<void> {
    const wait = this.#wait('waitClosed()', options, () => this.#closes.delete(wait))
    this.#closes.add(wait)
    return wait.promise
  }

  /** There is room. */
  drained(): void {
    for (const drain of this.#drains) drain.resolve()
    this.#drains.clear()
  }

  /** All bytes up to this offset are out. */
  flushed(offset: number): void {
    for (const [wait, wanted] of this.#flushes) {
      if (wanted > offset) return
      this.#flushes.delete(wait)
      wait.resolve()
    }
  }

  /** The bytes that are not out yet never will be. */
  failFlushes(error: Error): void {
    for (const wait of this.#flushes.keys()) wait.reject(error)
    this.#flushes.clear()
  }

  /** The connection is gone. */
  ended(end: StreamEnd): void {
    for (const wait of [...this.#drains, ...this.#closes]) {
      if (end.kind === 'failed') wait.reject(end.error)
      else wait.resolve()
    }
    this.#drains.clear()
    this.#closes.clear()
    if (this.hasFlushes) this.failFlushes(lost(end))
  }

  #wait(what: string, options: WaitOptions, forget: () => void): Wait<void> {
    return new Wait<void>(what, 'DRAIN_TIMEOUT', options, error => {
      forget()
      this.#interrupted = true
      error.add({ bytesAccepted: this.#accepted() })
    })
  }
}

/** What a caller is told who needs a connection that has ended so. */
export function lost(end: StreamEnd): Error {
  return end.kind === 'failed' ? end.error : new SockpoolError('CONNECTION_RESET', 'Connection lost')
}
