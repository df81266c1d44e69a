/**
 * Inputs that are parsed on the thread that asks: so small that their way to a thread and back costs more than their parse, in
 * formats that say that no bytes make them dear. What comes of them is what a thread would have made of them.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AnswerForm } from '../base/answer-form.ts'
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
  #count = 0
  /** Of them, in this turn of the event loop. */
  #inTurn = 0

  /** `bytesMax`: bytes of an input at the most; -1: none. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Inputs so far. */
  get count(): number {
    return this.#count
  }

  admits({ coding, format }: InputFormat, bytes: number): boolean {
    return coding === null && format.inPlace === true && bytes <= this.#bytesMax
  }

  /** Whether the part is all of a small input. */
  admitsPart(format: ConfiguredFormat, { pieces, offset, isLast }: InputPart): boolean {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    return isLast && offset === 0 && this.admits({ coding: null, format }, bytes)
  }

  /** A Parcel of all values, or their text. Errors: as those of a thread. */
  async answer(format: ConfiguredFormat, bytes: Uint8Array, form: AnswerForm): Promise<unknown> {
    this.#count += 1
    // A copy, as a thread would have: who has the bytes may change them.
    const input = Buffer.from(bytes)
    await this.#place()
    try {
      const decoder = await format.open()
      return form.kind === 'text' ? writeAll(decoder, input, form.wrap) : packValue(decodeAll(decoder, input))
    } catch (error) {
      // From a thread an error comes without its cause.
      throw reviveError(SockpoolError.from(error, 'PARSE_FAILED').toJSON())
    }
  }

  async part(format: ConfiguredFormat, part: InputPart, bytesMax: number): Promise<PartResult> {
    this.#count += 1
    await this.#place()
    return writePart(await format.open(), part, bytesMax)
  }
  /**
   * Waits for a turn of the event loop that has room. A caller that asks again and again would otherwise be answered within
   * one turn for ever, and no socket or timer of its thread would be served.
   */
  async #place(): Promise<void> {
    while (this.#inTurn === LIMITS.parseInPlacePerTurn) await nextTurn()
    this.#inTurn += 1
    if (this.#inTurn > 1) return
    setImmediate(() => {
      this.#inTurn = 0
    })
  }
}
