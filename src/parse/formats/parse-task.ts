/**
 * What crosses between `Parsers` and a parse worker: one task in, one reply out, both plain data. A failure is
 * data too, since an error that is thrown across a thread loses its fields.
 *
 *   bytes    Parsers ► worker   the values of a complete input; its buffer is transferred
 *   channel  Parsers ► worker   the next message of a lent reader
 *   run      Parsers ► worker   a user's module on an argument
 *   runOn    Parsers ► worker   a user's module on a lent reader and an argument
 */
import type { ErrorFields } from '../../base/errors.ts'
import type { LentSource, ReturnedSource } from '../../streams/channel-ends/blocking-channel-source.ts'

/** A reader that is lent for the time of one task. */
export type Loan = {
  readonly lent: LentSource
  /** The memory of the Claim that whoever begins or calls off the task takes first. */
  readonly claim: SharedArrayBuffer
  /** The instant of `sharedNow()` at which reads of the task stop blocking. */
  readonly deadline: number
}

export type ParseTask =
  | {
      readonly kind: 'bytes'
      readonly format: string
      readonly options: unknown
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'channel'; readonly format: string; readonly options: unknown; readonly loan: Loan }
  | { readonly kind: 'run'; readonly module: string; readonly argument: unknown }
  | { readonly kind: 'runOn'; readonly module: string; readonly argument: unknown; readonly loan: Loan }

export type ParseReply = {
  readonly outcome:
    | { readonly ok: true; readonly value: unknown }
    | { readonly ok: false; readonly error: ErrorFields; readonly cause?: unknown }
  /** The lent reader; null where none was lent, or where it could not be given back. */
  readonly returned: ReturnedSource | null
}

/** Milliseconds on a monotonic clock that all threads of the process share, which `performance.now()` is not. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
