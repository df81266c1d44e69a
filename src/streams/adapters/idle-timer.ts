/** The clock behind `setTimeout` of a socket: it tells of so long without traffic in either direction. */
import { timerMs } from '../../base/timer.ts'

export type IdleTimerDeps = {
  /** Bytes that the kernel has not taken yet: while they dwindle, the connection is not idle. */
  readonly unsent: () => number
  readonly onIdle: () => void
}

export class IdleTimer {
  readonly #deps: IdleTimerDeps
  readonly #timer: NodeJS.Timeout
  #unsentAtTouch = 0

  /** Begins to count `ms`; it keeps neither the process alive nor anything but its parts. */
  constructor(ms: number, deps: IdleTimerDeps) {
    this.#deps = deps
    this.#timer = setTimeout(() => this.#passed(), timerMs(ms)).unref()
  }

  /** A sign of life: it counts anew. */
  touch(): void {
    this.#unsentAtTouch = this.#deps.unsent()
    this.#timer.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #passed(): void {
    const unsent = this.#deps.unsent()
    if (unsent > 0 && unsent !== this.#unsentAtTouch) this.touch()
    else this.#deps.onIdle()
  }
}

/** Errors: as those of net.Socket, a TypeError ERR_INVALID_ARG_TYPE and a RangeError ERR_OUT_OF_RANGE. */
export function assertIdleTime(ms: unknown, listener: unknown): asserts ms is number {
  if (typeof ms !== 'number') throw invalid(new TypeError(`a timeout is a number, not ${typeof ms}`))
  if (!(ms >= 0 && Number.isFinite(ms))) {
    const error = new RangeError(`a timeout is 0 or more milliseconds, not ${ms}`)
    throw Object.assign(error, { code: 'ERR_OUT_OF_RANGE' })
  }
  if (listener !== undefined && typeof listener !== 'function')
    throw invalid(new TypeError(`a listener is a function, not ${typeof listener}`))
}

function invalid(error: TypeError): TypeError {
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' })
}
