/**
 * The time that a dial, one of its places, or one address of a place may take. What is tried one after another gets its
 * share: what is left, divided by how many are left. The last of all has all of it, and the dial's own signal ends it.
 */
import { SockpoolError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/base/limits.ts'

export class DialTime {
  /** Ends the dial, whatever is tried. */
  readonly signal: AbortSignal
  /** When this is over, and when the dial is; milliseconds of performance.now. */
  readonly untilMs: number
  readonly deadlineMs: number

  constructor(signal: AbortSignal, untilMs: number, deadlineMs: number = untilMs) {
    this.signal = signal
    this.untilMs = untilMs
    this.deadlineMs = deadlineMs
  }

  /** The same time under another signal. */
  under(signal: AbortSignal): DialTime {
    return new DialTime(signal, this.untilMs, this.deadlineMs)
  }

  /** The time of the next of so many, itself included. */
  share(left: number): DialTime {
    if (left <= 1) return this
    const now = performance.now()
    return new DialTime(this.signal, now + Math.max(0, this.untilMs - now) / left, this.deadlineMs)
  }

  /** Does it within this time. Errors: CONNECT_TIMEOUT when that is over, and the work's. */
  async bound<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.untilMs >= this.deadlineMs) return await work(this.signal)
    const waitMs = Math.min(Math.max(0, this.untilMs - performance.now()), LIMITS.timerMsMax)
    const late = new AbortController()
    const expire = (): void => late.abort(timedOut(what, waitMs))
    const timer = setTimeout(expire, waitMs)
    try {
      return await work(AbortSignal.any([this.signal, late.signal]))
    } catch (error) {
      throw late.signal.aborted && !this.signal.aborted ? late.signal.reason : error
    } finally {
      clearTimeout(timer)
    }
  }
}

function timedOut(what: string, waitMs: number): SockpoolError {
  const text = `no answer for ${what} within its ${Math.round(waitMs)} ms`
  return new SockpoolError('CONNECT_TIMEOUT', text, { reason: 'ETIMEDOUT' })
}
