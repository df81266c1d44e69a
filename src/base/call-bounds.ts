/** What bounds one call: a signal and a time, both judged and read once. */
import { optionsObject, signalOption, timeLimitOption } from './options.ts'
import { remainingMs, type WaitOptions } from './wait.ts'

export class CallBounds implements WaitOptions {
  /** Of a call that says nothing. */
  static readonly NONE: CallBounds = new CallBounds(undefined, undefined)

  readonly signal: AbortSignal | undefined
  /** Infinity is no bound, whatever the default of the call. */
  readonly timeoutMs: number | undefined
  /** What errors name: the time that the caller gave, of which `timeoutMs` may be what is left. */
  readonly allowedMs: number | undefined

  constructor(
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    allowedMs: number | undefined = timeoutMs,
  ) {
    this.signal = signal
    this.timeoutMs = timeoutMs
    this.allowedMs = allowedMs
  }

  /** The bounds that a caller's options name; what is judged already passes. Errors: INVALID_REQUEST. */
  static of(options: WaitOptions): CallBounds {
    return options instanceof CallBounds ? options : CallBounds.judged(optionsObject(options))
  }

  /** As `of`, for options that are known to be an object. */
  static judged({ signal, timeoutMs, allowedMs }: WaitOptions): CallBounds {
    if (signal === undefined && timeoutMs === undefined && allowedMs === undefined) return CallBounds.NONE
    return new CallBounds(
      signalOption('signal', signal),
      timeLimitOption('timeoutMs', timeoutMs),
      timeLimitOption('allowedMs', allowedMs),
    )
  }

  /** What is left of them for a call that began at `startedMs`. */
  left(startedMs: number, nowMs: number): CallBounds {
    const { signal, timeoutMs, allowedMs } = this
    if (timeoutMs === undefined) return this
    return new CallBounds(signal, remainingMs(timeoutMs, startedMs, nowMs), allowedMs)
  }
}

/** Of a wait that may take no longer than this either: its errors name the time that is up. */
export function boundsWithin(bounds: CallBounds, mostMs: number): CallBounds {
  const { signal, timeoutMs = Infinity } = bounds
  return timeoutMs <= mostMs ? bounds : new CallBounds(signal, mostMs)
}
