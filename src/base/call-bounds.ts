/** What bounds one call: a signal and a time, both judged and read once. */
import { optionsObject, signalOption, timeLimitOption } from './options.ts'
import type { WaitOptions } from './wait.ts'

export class CallBounds implements WaitOptions {
  /** Of a call that says nothing. */
  static readonly NONE: CallBounds = new CallBounds(undefined, undefined)

  readonly signal: AbortSignal | undefined
  /** Infinity is no bound, whatever the default of the call. */
  readonly timeoutMs: number | undefined

  constructor(signal: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.signal = signal
    this.timeoutMs = timeoutMs
  }

  /** The bounds that a caller's options name; what is judged already passes. Errors: INVALID_REQUEST. */
  static of(options: WaitOptions): CallBounds {
    if (options instanceof CallBounds) return options
    const { signal, timeoutMs } = optionsObject(options)
    return new CallBounds(signalOption('signal', signal), timeLimitOption('timeoutMs', timeoutMs))
  }
}
