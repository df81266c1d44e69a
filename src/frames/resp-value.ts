/**
 * Finds the end of one RESP2 or RESP3 value. Of an aggregate it keeps one count for each that is open, whatever it
 * announces; an attribute belongs to the value behind it.
 */
import { LIMITS } from '../base/limits.ts'
import { DataBlock } from './data-block.ts'
import type { PeerMessage } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import type { MessageBound } from './message-bound.ts'
import { RESP_STATE, type RespState } from './resp-grammar.ts'
import { NULL, RespHead, STREAMED } from './resp-head.ts'

/** Bytes of the shortest value, and of the end of a body. */
const VALUE_BYTES_MIN = 3
const BODY_END_BYTES = 2
/** Bytes of `txt:`. */
const FORMAT_BYTES = 4

/** How many values one counts for, where it is not one. */
const VALUES_OF_PAIR: ReadonlyMap<string, number> = new Map([
  ['%', 2],
  ['|', 2],
])

type Aggregate = {
  readonly type: string
  /** Values to come; of a streamed one those that came, as 0 or less. */
  left: number
}

export class RespValue {
  readonly #bound: MessageBound
  readonly #head = new RespHead(RESP_STATE.answer)
  readonly #body = new DataBlock('resp')
  /** From the outermost to the innermost. */
  readonly #open: Aggregate[] = []
  /** What comes next: a line, the format of a verbatim string, a body, or the body of a streamed string's part. */
  #phase: 'head' | 'format' | 'body' | 'part' = 'head'
  #kind: PeerMessage['kind'] = 'answer'

  constructor(bound: MessageBound) {
    this.#bound = bound
  }

  /** What the value is whose end was found. */
  get kind(): PeerMessage['kind'] {
    return this.#kind
  }

  /** Index behind the value, or -1 where it goes on. Errors: FRAME_BROKEN, LIMIT_OVERRUN. */
  find(bytes: Uint8Array, to: number): number {
    if (this.#bound.isBetween) this.#kind = 'answer'
    for (let index = 0; index < to; ) {
      const isLine = this.#phase === 'head' || this.#phase === 'format'
      index = (isLine ? this.#head : this.#body).find(bytes, index, to)
      if (index === -1) return -1
      if (this.#endPhase(index)) return index
    }
    return -1
  }

  /** Whether the whole answer ends with it, as with what else ends. */
  #endPhase(index: number): boolean {
    switch (this.#phase) {
      case 'head':
        return this.#endHead(index)
      case 'format':
        this.#phase = 'body'
        return false
      case 'body':
        return this.#endValue()
      case 'part':
        return this.#begin(RESP_STATE.part)
      default:
        return this.#phase satisfies never
    }
  }

  #endHead(index: number): boolean {
    const { type, announced } = this.#head
    switch (type) {
      case '$':
      case '!':
      case '=':
      case ';':
        return this.#beginString(type, announced, index)
      case '*':
      case '~':
      case '%':
      case '>':
      case '|':
        return this.#beginAggregate(type, announced, index)
      case '.':
        return this.#endStreamed()
      default:
        return this.#endValue()
    }
  }

  #beginString(type: string, bytes: number, index: number): boolean {
    if (bytes === STREAMED) return this.#begin(RESP_STATE.part)
    if (bytes === NULL || (type === ';' && bytes === 0)) return this.#endValue()
    if (bytes > LIMITS.respBulkBytesMax)
      throw frameBroken('resp', `a string is longer than ${LIMITS.respBulkBytesMax} bytes`)
    this.#bound.expect(index, bytes + BODY_END_BYTES)
    if (type === '=') return this.#beginVerbatim(bytes)
    this.#body.begin(bytes)
    this.#phase = type === ';' ? 'part' : 'body'
    return false
  }

  #beginVerbatim(bytes: number): boolean {
    if (bytes < FORMAT_BYTES) throw frameBroken('resp', 'a verbatim string has no room for its format')
    this.#body.begin(bytes - FORMAT_BYTES)
    this.#head.begin(RESP_STATE.format)
    this.#phase = 'format'
    return false
  }

  #beginAggregate(type: string, announced: number, index: number): boolean {
    if (announced === NULL) return this.#endValue()
    if (type === '>') this.#kind = 'push'
    const isStreamed = announced === STREAMED
    const left = isStreamed ? 0 : announced * (VALUES_OF_PAIR.get(type) ?? 1)
    this.#bound.expect(index, left * VALUE_BYTES_MIN)
    if (left === 0 && !isStreamed) return type === '|' ? this.#beginBehindAttribute() : this.#endValue()
    if (this.#open.length === LIMITS.respDepthMax)
      throw frameBroken('resp', `aggregates are nested deeper than ${LIMITS.respDepthMax}`)
    this.#open.push({ type, left })
    return this.#begin(isStreamed ? RESP_STATE.element : RESP_STATE.value)
  }

  #endStreamed(): boolean {
    const ended = this.#open.pop()
    if (ended?.type === '%' && ended.left % 2 !== 0) throw frameBroken('resp', 'a map ends behind a key')
    return this.#endValue()
  }

  #endValue(): boolean {
    for (let around = this.#open.at(-1); around; around = this.#open.at(-1)) {
      around.left -= 1
      if (around.left < 0) return this.#begin(RESP_STATE.element)
      if (around.left > 0) return this.#begin(RESP_STATE.value)
      this.#open.pop()
      if (around.type === '|') return this.#beginBehindAttribute()
    }
    this.#begin(RESP_STATE.answer)
    return true
  }

  #beginBehindAttribute(): boolean {
    return this.#begin(this.#open.length === 0 ? RESP_STATE.answer : RESP_STATE.value)
  }

  #begin(start: RespState): false {
    this.#head.begin(start)
    this.#phase = 'head'
    return false
  }
}
