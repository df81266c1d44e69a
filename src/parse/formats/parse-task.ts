/**
 * What crosses between `Parsers` and a parse worker: one task goes in, one reply comes out, and both are plain data. A
 * failure is data too, since an error that is thrown across a thread loses its fields.
 *
 *   bytes    Parsers ► worker   the values of a complete input, as `form` says; its buffer is transferred
 *   batch    Parsers ► worker   the messages at the front of a piece of a stream, a MessageBatch; its buffer is transferred
 *   message  Parsers ► worker   the value of one message that was cut already, as `form` says
 *   part     Parsers ► worker   the values in a part of an input, as text: a PartResult; all pieces are transferred
 *   channel  Parsers ► worker   the next message of a lent reader: a TurnResult of what `form` says
 *   run      Parsers ► worker   a user's module on an argument
 *   runOn    Parsers ► worker   a user's module on a lent reader and an argument
 */
import type { AnswerForm } from '../../base/answer-form.ts'
import type { ErrorFields } from '../../base/errors.ts'
import type { InputPart } from '../../base/input-part.ts'
import type { LoanMemory } from '../../channel/loan-words.ts'
import type { ProgressMemory } from '../../channel/parse-progress.ts'
import type { LentSource, ReturnedSource } from '../../streams/channel-ends/lent-source.ts'
import type { Turn } from './read-message.ts'
import type { FormatRef } from './registry.ts'

/** What a borrower needs of a reader that is lent for the time of one task. */
export type LoanTicket = {
  readonly lent: LentSource
  readonly words: LoanMemory
  /** The instant of `sharedNow()` at which reads of the task stop blocking. */
  readonly deadline: number
  /** Milliseconds that the caller gave until then: errors name these. */
  readonly allowedMs: number
}

/** How a message becomes a value. */
export type MessageAsk = {
  readonly format: FormatRef
  readonly options: unknown
  readonly form: AnswerForm
}

export type ParseTask =
  | {
      readonly kind: 'bytes'
      readonly format: FormatRef
      readonly options: unknown
      readonly form: AnswerForm
      readonly bytes: Uint8Array
      /** Bytes that may come out of them where they are compressed. */
      readonly bytesMax: number
      /** Where a thread says how far it is; a process shares no memory. */
      readonly progress?: ProgressMemory | undefined
    }
  | {
      readonly kind: 'part'
      readonly format: FormatRef
      readonly options: unknown
      readonly part: InputPart
      /** Bytes that one value may have. */
      readonly bytesMax: number
    }
  | ({ readonly kind: 'message'; readonly bytes: Uint8Array } & MessageAsk)
  | {
      readonly kind: 'batch'
      readonly format: FormatRef
      readonly options: unknown
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: 'channel'
      readonly format: FormatRef
      readonly options: unknown
      readonly form: AnswerForm
      readonly turn: Turn
      readonly ticket: LoanTicket
    }
  | { readonly kind: 'run'; readonly module: string; readonly argument: unknown }
  | {
      readonly kind: 'runOn'
      readonly module: string
      readonly argument: unknown
      readonly ticket: LoanTicket
    }

/** A task that needs nothing of this process but its bytes. */
export type ApartTask = Extract<ParseTask, { readonly kind: 'bytes' | 'message' }>

export type TaskOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: ErrorFields; readonly cause?: unknown }

export type ParseReply = {
  readonly outcome: TaskOutcome
  /** Where the lent reader is now; null where none was lent, or where the worker let go of it and cannot say. */
  readonly returned: ReturnedSource | null
}

/** Milliseconds on a monotonic clock that all threads of the process share, which `performance.now()` is not. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
