/**
 * One bounded, cancellable wait. Everything that waits in sockpool waits through this class, so every error
 * names the wait it ended and no timer or listener outlives it.
 */

import { END_LIMITS } from './end-limits.ts'
import { type ErrorCode, SockpoolError } from './errors.ts'
import { timerMs } from './timer.ts'

export type WaitOptions = {
  /** Ends the wait with ABORTED; the signal's reason becomes the cause. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds until the wait ends with its own time-out code; Infinity, and the default: no bound. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds that the caller gave, where `timeoutMs` is what is left of them: errors name these. */
  readonly allowedMs?: number | undefined
}

/** The error of a wait that its caller's signal ended. Its name is AbortError, as callers of fetch expect. */
export function aborted(what: string, signal: AbortSignal): SockpoolError {
  const error = new SockpoolError('ABORTED', `${what} was aborted`, { cause: signal.reason })
  error.name = 'AbortError'
  return error
}

export class Wait<T> {
  readonly promise: Promise<T>
  #resolve: (value: T) => void
  #reject: (error: Error) => void
  #timer: NodeJS.Timeout | null = null
  #unlisten: (() => void) | null = null
  #settled = false

  /**
   * `what` names the wait in its errors; `undo` runs once if time or signal end it, before the promise rejects,
   * and may add to the error what it knows of counts.
   */
  constructor(
    what: string,
    timeoutCode: ErrorCode,
    options: WaitOptions,
    undo: (error: SockpoolError) => void,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
    // Most waits have no bound, and what watches for one is not made for them.
    if (options.signal !== undefined || options.timeoutMs !== undefined)
      this.#watch(what, timeoutCode, options, undo)
  }

  #watch(
    what: string,
    timeoutCode: ErrorCode,
    { signal, timeoutMs, allowedMs = timeoutMs }: WaitOptions,
    undo: (error: SockpoolError) => void,
  ): void {
    const end = (error: SockpoolError): void => {
      if (this.#settled) return
      undo(error)
      this.reject(error)
    }
    if (signal) {
      const onAbort = (): void => end(aborted(what, signal))
      signal.addEventListener('abort', onAbort, { once: true })
      this.#unlisten = () => signal.removeEventListener('abort', onAbort)
      // Never from within the constructor: `undo` may name the very variable that this wait is assigned to.
      if (signal.aborted) queueMicrotask(onAbort)
    }
    // Last of all: where a strange signal throws above, nothing is left behind that fires later.
    if (timeoutMs !== undefined && timeoutMs <= END_LIMITS.timerMsMax) {
      const onTimeout = (): void => end(new SockpoolError(timeoutCode, tookLonger(what, allowedMs ?? 0)))
      this.#timer = setTimeout(onTimeout, timerMs(timeoutMs))
    }
  }

  get settled(): boolean {
    return this.#settled
  }

  resolve(value: T): void {
    if (this.#settle()) this.#resolve(value)
  }

  reject(error: Error): void {
    if (this.#settle()) this.#reject(error)
  }

  #settle(): boolean {
    if (this.#settled) return false
    this.#settled = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#unlisten?.()
    return true
  }
}

/** The message of a wait whose time is up, in whole milliseconds. */
export function tookLonger(what: string, allowedMs: number): string {
  return `${what} took longer than ${Math.ceil(allowedMs)} ms`
}

/** Milliseconds left of a time-out that began to run at `startedMs`; undefined without one. */
export function remainingMs(
  timeoutMs: number | undefined,
  startedMs: number,
  nowMs: number,
): number | undefined {
  return timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (nowMs - startedMs))
}

/** Resolves when the work is done, or after `timeoutMs`, whichever is first. Errors: the work's. */
export async function settledWithin(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, timerMs(timeoutMs))
  work.then(() => resolve(), reject)
  try {
    await promise
  } finally {
    clearTimeout(timer)
  }
}
