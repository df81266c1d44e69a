/** What the pool needs of the parse workers. `parse/` fulfils it; the composition root joins the two. */

import type { AnswerForm, TextWrap } from '../../base/answer-form.ts'
import type { InputPart, PartResult } from '../../base/input-part.ts'
import type { ParseLoad } from '../../base/parse-load.ts'
import type { ParseThreadRow } from '../../base/parse-thread-row.ts'
import type { MessageBatch } from '../../base/value-batch.ts'
import type { Parcel } from '../../base/value-parcel.ts'
import type { WaitOptions } from '../../base/wait.ts'
import type { LentSource, LoanResult } from '../../streams/channel-ends/lent-source.ts'

export type ParseCall = WaitOptions
export type TenantCall = ParseCall & { readonly tenant?: string | undefined }

/** What they do for the reading end of a lease. */
export interface LoanPort {
  /** `form`: what the value comes back as; default: as itself. */
  parseMessage(
    lent: LentSource,
    format: string,
    options?: object,
    call?: TenantCall & { readonly form?: AnswerForm | undefined },
  ): Promise<LoanResult>
  runOn(lent: LentSource, module: URL | string, argument?: unknown, call?: TenantCall): Promise<LoanResult>
  /**
   * The messages at the front of some bytes, as far as they are whole and right. The bytes are given away. Errors: as
   * `ParsePort.parse`, but that none of them is ever wrong.
   */
  parseBatch(
    format: string,
    bytes: Uint8Array<ArrayBuffer>,
    options?: object,
    call?: TenantCall,
  ): Promise<MessageBatch>
}

export interface ParsePort extends LoanPort {
  parse(format: string, bytes: Uint8Array, options?: object, call?: TenantCall): Promise<unknown[]>
  /** As `parse`, for another thread to unpack. */
  pack(format: string, bytes: Uint8Array, options?: object, call?: TenantCall): Promise<Parcel>
  /** As `parse`, as JSON text; the bytes are given away. */
  write(
    format: string,
    bytes: Uint8Array,
    wrap: TextWrap,
    options?: object,
    call?: TenantCall,
  ): Promise<Uint8Array>
  /** One step of a parse whose input comes in parts; the pieces are given away. */
  writePart(format: string, part: InputPart, options?: object, call?: TenantCall): Promise<PartResult>
  run(module: URL | string, argument?: unknown, call?: TenantCall): Promise<unknown>
}

export interface ParseGauge {
  readonly load: ParseLoad
  /** A row for each thread that there is just now. */
  rows(): ParseThreadRow[]
}

/** Knows the formats without a thread. */
export interface FormatJudge {
  /**
   * Judges a format and its options before anything waits, for messages or for an input that is complete. Errors:
   * FORMAT_NOT_FOUND, INVALID_REQUEST.
   */
  checkFormat(format: string, options?: object, of?: 'messages' | 'input'): void
}
