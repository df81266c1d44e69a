/**
 * Bytes that a caller brings, rather than a connection: as a complete input, or in parts. Where they are parsed is decided
 * here: small ones in place, all others on a thread, to which their memory goes.
 */
import type { AnswerForm } from '../base/answer-form.ts'
import { SockpoolError } from '../base/errors.ts'
import type { InputPart, PartResult } from '../base/input-part.ts'
import type { Isolation } from '../base/isolation.ts'
import { LIMITS } from '../base/limits.ts'
import type { LongParse } from '../base/parse-load.ts'
import type { ParseTally } from '../base/parse-tally.ts'
import { aborted } from '../base/wait.ts'
import type { ParseTask } from './formats/parse-task.ts'
import { configureInput, configureParts, type FormatRef } from './formats/registry.ts'
import { InPlace } from './in-place.ts'
import { unwrapped } from './loan-outcome.ts'
import { LongWork } from './long-work.ts'
import { draining, type TaskPool } from './task-pool.ts'
import type { TaskCall } from './task-record.ts'
import { threadBytesMax } from './thread-bytes.ts'

export type InputParsesOptions = {
  /** Where inputs are parsed that no thread is to have. */
  readonly processes: TaskPool
  readonly isolation: Isolation
  /** Bytes of an input, and of one value of an input in parts. */
  readonly bytesMax: number
  /** Bytes of an input that may be parsed in place; default LIMITS.parseInPlaceBytes, -1: none is. */
  readonly inPlaceBytesMax?: number | undefined
  /** Hears of parses of complete inputs that take long. */
  readonly onProgress?: ((parse: LongParse) => void) | undefined
  /** Counts how long they take in place; default: nobody does. */
  readonly tally?: ParseTally | undefined
}

/** `isKept`: the caller keeps the bytes; otherwise their memory is given away. */
export type InputWish = {
  readonly format: FormatRef
  readonly options: unknown
  readonly form: AnswerForm
  readonly isKept: boolean
}

export class InputParses {
  readonly #pool: TaskPool
  readonly #processes: TaskPool
  readonly #isolation: Isolation
  readonly #bytesMax: number
  readonly #inPlace: InPlace
  readonly #long: LongWork
  #isClosed = false

  constructor(pool: TaskPool, options: InputParsesOptions) {
    const { bytesMax, isolation, inPlaceBytesMax = LIMITS.parseInPlaceBytes, onProgress, tally } = options
    this.#processes = options.processes
    this.#isolation = isolation
    this.#pool = pool
    this.#bytesMax = bytesMax
    this.#inPlace = new InPlace(isolation === 'process' ? -1 : inPlaceBytesMax, tally?.tasks.in_place)
    this.#long = new LongWork(onProgress ?? (() => {}))
  }

  /** Inputs so far that were parsed in place. */
  get inPlace(): number {
    return this.#inPlace.count
  }

  /** Complete inputs whose parse takes long. */
  get long(): readonly LongParse[] {
    return this.#long.rows
  }

  /** Nothing begins in place any more; the threads are their pool's to end. */
  close(): void {
    this.#isClosed = true
  }

  /** A Parcel of the values of a complete input, or their text. Errors: as Parsers.parse. */
  async complete(wish: InputWish, bytes: Uint8Array, call: TaskCall): Promise<unknown> {
    const { format, options, form, isKept } = wish
    const asked = configureInput(format, options)
    if (!(bytes instanceof Uint8Array)) throw new TypeError('the bytes to parse must be a Uint8Array')
    const bytesMax = this.#bytesMax
    if (bytes.length > bytesMax)
      throw new SockpoolError('PARSE_LIMIT', `the input is longer than ${bytesMax} bytes`, {
        offset: bytesMax,
      })
    if (this.#inPlace.admits(asked, bytes.length))
      return await this.#inPlace.answer(asked.format, bytes, form, () => this.#assertMayBegin(call))
    const { buffer } = bytes
    const isOwn = !isKept && buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length
    const sent = isOwn ? bytes : new Uint8Array(bytes)
    const transfer = [sent.buffer as ArrayBuffer]
    const name = typeof format === 'string' ? format : format.name
    return await this.#long.follow(name, bytes.length, async progress => {
      const isHere = this.#isThreaded(bytes.length, options)
      const asked = { kind: 'bytes', format, options, form, bytes: sent, bytesMax } as const
      // A process shares no memory.
      const task: ParseTask = isHere ? { ...asked, progress } : asked
      const pool = isHere ? this.#pool : this.#processes
      return unwrapped(await pool.run(task, { ...call, transfer }))
    })
  }

  /**
   * One step of a parse whose input comes in parts, as text. The pieces are given away. What is wrong with the bytes is in
   * the result. Errors: those of `complete` that are not about the bytes.
   */
  async part(format: FormatRef, options: unknown, part: InputPart, call: TaskCall): Promise<PartResult> {
    const asked = configureParts(format, options)
    if (this.#inPlace.admitsPart(asked, part))
      return await this.#inPlace.part(asked, part, this.#bytesMax, () => this.#assertMayBegin(call))
    // A process takes complete inputs alone.
    if (!this.#isThreaded(1, options)) return { kind: 'whole', rest: part }
    const task: ParseTask = { kind: 'part', format, options, part, bytesMax: this.#bytesMax }
    const transfer = part.pieces.filter(({ length }) => length > 0).map(({ buffer }) => buffer as ArrayBuffer)
    // A step is short: its thread is let finish, rather than ended, where nobody waits for it any more.
    return unwrapped(await this.#pool.run(task, { ...call, transfer, recall: () => true })) as PartResult
  }

  #isThreaded(bytes: number, options: unknown): boolean {
    return bytes <= threadBytesMax(this.#isolation, options)
  }

  /** What a TaskPool asks of a task. Errors: ABORTED, DRAINING. */
  #assertMayBegin({ what, signal }: TaskCall): void {
    if (this.#isClosed) throw draining()
    if (signal?.aborted) throw aborted(what, signal)
  }
}
