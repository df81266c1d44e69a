/**
 * Fills the warm minimum of one target: the first connection is dialled at once, each other one a while after the one
 * before, at random. So the instances of a service that start together do not come to the target as one herd.
 */
import { LIMITS } from '../../base/limits.ts'

export type WarmDialsDeps = {
  /** Whether connections are missing. */
  readonly isShort: () => boolean
  /** Whether one more dial may begin. */
  readonly mayDial: () => boolean
  readonly dial: () => void
  /** 0 has all dials begin at once. */
  readonly random: () => number
}

export class WarmDials {
  readonly #deps: WarmDialsDeps
  #timer: NodeJS.Timeout | null = null

  constructor(deps: WarmDialsDeps) {
    this.#deps = deps
  }

  /** To be called now and then: where the target may not be dialled just now, filling ends until the next call. */
  fill(): void {
    const { isShort, mayDial, dial, random } = this.#deps
    while (this.#timer === null && isShort() && mayDial()) {
      dial()
      const pauseMs = random() * LIMITS.warmDialPauseMs
      if (pauseMs > 0 && isShort()) this.#timer = setTimeout(() => this.#goOn(), pauseMs).unref()
    }
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #goOn(): void {
    this.#timer = null
    this.fill()
  }
}
