/** The parse workers of the pool, asked for by an attached thread. */
import type { AnswerForm, TextWrap } from '../../base/answer-form.ts'
import { type ErrorFields, reviveError, SockpoolError } from '../../base/errors.ts'
import type { InputPart, PartResult } from '../../base/input-part.ts'
import type { MessageBatch } from '../../base/value-batch.ts'
import { type Parcel, unpackValue } from '../../base/value-parcel.ts'
import { aborted } from '../../base/wait.ts'
import type { LentSource, LoanResult } from '../../streams/channel-ends/lent-source.ts'
import type { AttachLine } from '../../threads/attach-line.ts'
import type { LoanData } from '../../threads/attach-protocol.ts'
import type { LoanPort, ParseCall, TenantCall } from '../lease/parse-port.ts'

/** The pool's thread keeps the channel from others until the borrower is gone. */
const LOST: LoanResult['reader'] = { kind: 'lost', threadGone: Promise.resolve() }

export class AttachedParsePort implements LoanPort {
  readonly #line: AttachLine
  readonly #lease: number

  /** `lease`: the one whose reader is lent. */
  constructor(line: AttachLine, lease: number) {
    this.#line = line
    this.#lease = lease
  }

  async parse(
    format: string,
    bytes: Uint8Array,
    options?: object,
    { signal, timeoutMs }: ParseCall = {},
  ): Promise<unknown[]> {
    const parcel = await this.#line.request('parse', { format, bytes, options, timeoutMs }, signal)
    return (await unpackValue(parcel as Parcel)) as unknown[]
  }

  /** As `parse`, as JSON text. */
  async write(
    format: string,
    bytes: Uint8Array,
    wrap: TextWrap,
    options?: object,
    { signal, timeoutMs, tenant }: TenantCall = {},
  ): Promise<Uint8Array> {
    const data = { format, bytes, wrap, options, tenant, timeoutMs }
    return (await this.#line.request('write', data, signal)) as Uint8Array
  }

  /** One step of a parse whose input comes in parts. */
  async writePart(
    format: string,
    part: InputPart,
    options?: object,
    { signal, timeoutMs, tenant }: TenantCall = {},
  ): Promise<PartResult> {
    const data = { format, part, options, tenant, timeoutMs }
    return (await this.#line.request('part', data, signal)) as PartResult
  }

  async run(
    module: URL | string,
    argument?: unknown,
    { signal, timeoutMs }: ParseCall = {},
  ): Promise<unknown> {
    return await this.#line.request('run', { module: String(module), argument, timeoutMs }, signal)
  }

  parseMessage(
    lent: LentSource,
    format: string,
    options?: object,
    { signal, timeoutMs, allowedMs, form }: ParseCall & { readonly form?: AnswerForm | undefined } = {},
  ): Promise<LoanResult> {
    const lease = this.#lease
    return this.#lend('parse()', signal, () =>
      this.#line.request(
        'parseMessage',
        { lease, lent, format, options, form, timeoutMs, allowedMs },
        signal,
      ),
    )
  }

  async parseBatch(
    format: string,
    bytes: Uint8Array<ArrayBuffer>,
    options?: object,
    { tenant }: TenantCall = {},
  ): Promise<MessageBatch> {
    return (await this.#line.request('parseBatch', { format, bytes, options, tenant })) as MessageBatch
  }

  runOn(
    lent: LentSource,
    module: URL | string,
    argument?: unknown,
    { signal, timeoutMs, allowedMs }: ParseCall = {},
  ): Promise<LoanResult> {
    const lease = this.#lease
    return this.#lend('run()', signal, () =>
      this.#line.request(
        'runOn',
        { lease, lent, module: String(module), argument, timeoutMs, allowedMs },
        signal,
      ),
    )
  }

  /** Never rejects. A line that broke while the reader was lent says nothing of where it is. */
  async #lend(
    what: string,
    signal: AbortSignal | undefined,
    ask: () => Promise<unknown>,
  ): Promise<LoanResult> {
    try {
      const { outcome, reader } = (await ask()) as LoanData
      return {
        reader: reader.kind === 'lost' ? LOST : reader,
        outcome: outcome.ok ? outcome : { ok: false, error: this.#revived(outcome.error, what, signal) },
      }
    } catch (error) {
      const failure = SockpoolError.from(error)
      const isUntouched = failure.code === 'INVALID_REQUEST' || failure.code === 'ABORTED'
      return { reader: isUntouched ? { kind: 'untouched' } : LOST, outcome: { ok: false, error: failure } }
    }
  }

  /** The pool's thread cannot know the caller's own reason. */
  #revived(fields: ErrorFields, what: string, signal: AbortSignal | undefined): SockpoolError {
    return fields.code === 'ABORTED' && signal?.aborted ? aborted(what, signal) : reviveError(fields)
  }
}
