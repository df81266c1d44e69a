/** What a caller may say about one read, and the checks that the asynchronous and the blocking reader share. */
import { CallBounds } from '../../base/call-bounds.ts'
import { SockpoolError } from '../../base/errors.ts'
import { choiceOption, countOption, flagOption, optionsObject, typeFault } from '../../base/options.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { FrameSpec } from '../../frames/frame-spec.ts'
import type { CallWatch } from '../call-watch.ts'
import type { ReadTransport } from './memory-source.ts'

export type Separator = string | Uint8Array

/** `raise`: every read fails at once, as asyncio's. `drain-then-raise`: the received bytes first. */
export type OnReset = 'raise' | 'drain-then-raise'

/**
 * What becomes of a line that is longer than the limit. `raise`: as asyncio, whose readline drops what it has of
 * the line and whose readuntil drops nothing. `discard-line`: the error comes once, all of the line is dropped,
 * what of it is still to come too, and the next call reads the line after it.
 */
export type OnOverrun = 'raise' | 'discard-line'

export type FramedReads = {
  /** What a read of a message goes by where it is told no frame; default: none. */
  readonly frame?: FrameSpec | null | undefined
  /** A message was read behind which none can come, or one was broken. Default: nothing is done. */
  readonly onLastMessage?: ((how: 'whole' | 'broken') => void) | undefined
}

export type WatchedReads = {
  /** Hears of each read; default: nobody. */
  readonly watch?: CallWatch | null | undefined
}

export type StreamReaderOptions = FramedReads & {
  /** Bytes; default 65,536. */
  readonly limit?: number | undefined
  /** Default `raise`. */
  readonly onReset?: OnReset | undefined
  /** What feeds a reader over memory, as `setTransport`. */
  readonly transport?: ReadTransport | undefined
}

export type ReadOptions = WaitOptions & {
  /**
   * `readUntil`, `readLine`: bytes before the separator, above 0; default: the reader's. `read` to the end: the
   * most bytes it may gather, default unbounded; past it LIMIT_OVERRUN, and nothing is removed.
   */
  readonly limit?: number | undefined
  /** `readLine`, `readUntil`; default `raise`. */
  readonly onOverrun?: OnOverrun | undefined
  /** What a read does after the connection broke while bytes are still there; default: the reader's. */
  readonly onReset?: OnReset | undefined
}

export type ChunkOptions = ReadOptions & {
  /** Each chunk lies in the memory of the one before it; default: each has its own. */
  readonly reuse?: boolean | undefined
}

/** A read, and which separator ended it: its index among those that were given. */
export type MatchedRead = { readonly data: Buffer; readonly match: number }

/** What single calls take besides. */
type More = { readonly withMatch?: boolean | undefined; readonly reuse?: boolean | undefined }

const NOTHING = {}
const OVERRUNS: readonly OnOverrun[] = ['raise', 'discard-line']
const RESETS: readonly OnReset[] = ['raise', 'drain-then-raise']

/** The options of one read, judged and read once: an attempt may look at them many times. */
export class ReadBounds extends CallBounds {
  readonly limit: number | undefined
  readonly onOverrun: OnOverrun | undefined
  readonly onReset: OnReset | undefined
  readonly withMatch: boolean
  readonly reuse: boolean

  /** Judged already: how long the read waits, and what else it was told. */
  constructor(bounds: CallBounds, options: Omit<ReadOptions, keyof WaitOptions> & More) {
    super(bounds.signal, bounds.timeoutMs, bounds.allowedMs)
    this.limit = options.limit
    this.onOverrun = options.onOverrun
    this.onReset = options.onReset
    this.withMatch = options.withMatch === true
    this.reuse = options.reuse === true
  }

  /** What a caller's options name; what is judged already passes. Errors: INVALID_REQUEST. */
  static override of(options: ReadOptions & More): ReadBounds {
    // By far the most calls say nothing, and pay no more than this comparison.
    if (options === NO_BOUNDS) return NO_BOUNDS
    if (options instanceof ReadBounds) return options
    if (options instanceof CallBounds) return new ReadBounds(options, NOTHING)
    const { signal, timeoutMs, allowedMs, limit, onOverrun, onReset, withMatch, reuse } =
      optionsObject(options)
    const bounds = CallBounds.judged({ signal, timeoutMs, allowedMs })
    return new ReadBounds(bounds, {
      limit: limitOption(limit),
      onOverrun: choiceOption('onOverrun', onOverrun, OVERRUNS),
      onReset: onResetOption(onReset),
      withMatch: flagOption('withMatch', withMatch),
      reuse: flagOption('reuse', reuse),
    })
  }
}

/** Of a read that says nothing. */
export const NO_BOUNDS: ReadBounds = new ReadBounds(CallBounds.NONE, NOTHING)

export function onResetOption<Value>(onReset: Value): Value {
  return choiceOption('onReset', onReset, RESETS)
}

/** Bytes before a separator. Errors: INVALID_REQUEST unless it is a whole number above 0. */
export function limitOption<Value>(limit: Value): Value {
  if (typeof limit === 'number' && !(limit > 0)) throw tooLow()
  return countOption('limit', limit, 1)
}

/** In asyncio's words. */
function tooLow(): SockpoolError {
  const message = 'Limit cannot be <= 0'
  return new SockpoolError('INVALID_REQUEST', message, { errors: [{ path: 'limit', message }] })
}

/** A byte count as it is, for the named call. Errors: TypeError (INVALID_REQUEST) where it is not a whole number. */
export function wholeCount(n: number, call: string): number {
  if (!Number.isSafeInteger(n)) throw typeFault(`${call} size must be a whole number`)
  return n
}

/** As `wholeCount`. Errors: also INVALID_REQUEST where it is below 0. */
export function naturalCount(n: number, call: string): number {
  if (wholeCount(n, call) >= 0) return n
  throw new SockpoolError('INVALID_REQUEST', `${call} size can not be less than zero`)
}

/** The bytes that `readInto` may write. Errors: TypeError (INVALID_REQUEST) where it is no Uint8Array. */
export function targetOf(target: Uint8Array): Buffer {
  if (!(target instanceof Uint8Array)) throw typeFault('readInto() takes a Uint8Array')
  return Buffer.from(target.buffer, target.byteOffset, target.length)
}
