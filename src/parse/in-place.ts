/**
 * Inputs that are parsed on the thread that asks: so small that their way to a thread and back costs more than their parse, in
 * formats that say that no bytes make them dear. What comes of them is what a thread would have made of them.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AnswerForm } from '../base/answer-form.ts'
import type { DurationTally } from '../base/duration-tally.ts'
import { reviveError, SockpoolError } from '../base/errors.ts'
import type { InputPart, PartResult } from '../base/input-part.ts'
import { LIMITS } from '../base/limits.ts'
import { packValue } from '../base/value-parcel.ts'
import { decodeAll, writeAll } from './formats/decode-all.ts'
import type { ConfiguredFormat } from './formats/format.ts'
import type { InputFormat } from './formats/registry.ts'
import { writePart } from './formats/write-part.ts'

export class InPlace {
  readonly #bytesMax: number
  readonly #tally: DurationTally | null
  #count = 0
  /** Of them, in this turn of the event loop. */
  #inTurn = 0
  /** One waits for the next turn. */
  #isWaiting = false

  /** `bytesMax`: bytes of an input at the most; -1: none. `tally` counts how long they take. */
  constructor(bytesMax: number, tally: DurationTally | null = null) {
    this.#bytesMax = bytesMax
    this.#tally = tally
  }

  /** Inputs so far. */
  get count(): number {
    return this.#count
  }

  /** Whether the input is such a one. Where another waits for a turn already it goes to a thread, whose queue has bounds. */
  admits({ coding, format }: InputFormat, bytes: number): boolean {
    return !this.#isWaiting && coding === null && format.inPlace === true && bytes <= this.#bytesMax
  }

  /** Whether the part is all of a small input. */
  admitsPart(format: ConfiguredFormat, { pieces, offset, isLast }: InputPart): boolean {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    return isLast && offset === 0 && this.admits({ coding: null, format }, bytes)
  }

  /** A Parcel of all values, or their text. Errors: as those of a thread, and those of `assertMayBegin`. */
  async answer(
    format: ConfiguredFormat,
    bytes: Uint8Array,
    form: AnswerForm,
    assertMayBegin: () => void,
  ): Promise<unknown> {
    // A copy, as a thread would have: who has the bytes may change them.
    const input = Buffer.from(bytes)
    await this.#place(assertMayBegin)
    const sinceMs = performance.now()
    try {
      const decoder = await format.open()
      return form.kind === 'text' ? writeAll(decoder, input, form.wrap) : packValue(decodeAll(decoder, input))
    } catch (error) {
      // From a thread an error comes without its cause.
      throw reviveError(SockpoolError.from(error, 'PARSE_FAILED').toJSON())
    } finally {
      this.#tally?.observe(performance.now() - sinceMs)
    }
  }

  async part(
    format: ConfiguredFormat,
    part: InputPart,
    bytesMax: number,
    assertMayBegin: () => void,
  ): Promise<PartResult> {
    await this.#place(assertMayBegin)
    const sinceMs = performance.now()
    try {
      return writePart(await format.open(), part, bytesMax)
    } finally {
      this.#tally?.observe(performance.now() - sinceMs)
    }
  }

  /**
   * Takes a place in this turn of the event loop, or in the next where this one has no more. A caller that asks again and
   * again would otherwise be answered within one turn for ever, and no socket or timer of its thread would be served.
   */
  async #place(assertMayBegin: () => void): Promise<void> {
    assertMayBegin()
    this.#count += 1
    if (this.#inTurn === LIMITS.parseInPlacePerTurn) {
      this.#isWaiting = true
      await nextTurn()
      this.#isWaiting = false
      assertMayBegin()
    }
    this.#inTurn += 1
    if (this.#inTurn > 1) return
    setImmediate(() => {
      this.#inTurn = 0
    })
  }
}
