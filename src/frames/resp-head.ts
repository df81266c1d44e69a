/** The line that a RESP value begins with: its type, and how much it announces. */
import { LIMITS } from '../base/limits.ts'
import { frameBroken } from './frame-errors.ts'
import { MEANING, NEXT_STATE, RESP_STATE, type RespState } from './resp-grammar.ts'

/** What a line announces: a length or a count, or one of these. */
export const NULL: number = -1
export const STREAMED: number = -2

const ZERO = 0x30

export class RespHead {
  #state: number
  #size = 0
  #type = 0
  #announced = 0

  constructor(start: RespState) {
    this.#state = start
  }

  /** Its first byte. */
  get type(): string {
    return String.fromCharCode(this.#type)
  }

  /** Bytes or values, NULL or STREAMED; 0 where its type announces nothing. */
  get announced(): number {
    return this.#announced
  }

  begin(start: RespState): void {
    this.#state = start
    this.#size = 0
    this.#announced = 0
  }

  /** Index behind the line, or -1 where its end has not come. Errors: FRAME_BROKEN. */
  find(bytes: Uint8Array, from: number, to: number): number {
    if (this.#size === 0 && from < to) this.#type = bytes[from] ?? 0
    const stop = Math.min(to, from + LIMITS.frameLineBytesMax - this.#size)
    let state = this.#state
    for (let index = from; index < stop; index++) {
      const byte = bytes[index] ?? 0
      state = NEXT_STATE[(state << 8) | byte] ?? RESP_STATE.broken
      if (state === RESP_STATE.ended) return index + 1
      if (state === RESP_STATE.broken) throw frameBroken('resp', 'a byte stands where it cannot')
      if (state >= MEANING) this.#note(state, byte)
    }
    if (stop < to) throw frameBroken('resp', `a line is longer than ${LIMITS.frameLineBytesMax} bytes`)
    this.#state = state
    this.#size += stop - from
    return -1
  }

  #note(state: number, byte: number): void {
    if (state === RESP_STATE.null) this.#announced = NULL
    else if (state === RESP_STATE.stream) this.#announced = STREAMED
    else this.#announced = this.#announced * 10 + (byte - ZERO)
    if (this.#announced > Number.MAX_SAFE_INTEGER) throw frameBroken('resp', 'a length or count is no number')
  }
}
