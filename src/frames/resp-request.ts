/** Finds the end of one request: an array of bulk strings, or a line of words. */
import { LIMITS } from '../base/limits.ts'
import { DataBlock } from './data-block.ts'
import { frameBroken } from './frame-errors.ts'
import type { MessageBound } from './message-bound.ts'
import { RespCommand } from './resp-commands.ts'
import { INLINE_STARTS, RESP_STATE } from './resp-grammar.ts'
import { RespHead } from './resp-head.ts'
import { WordBytes } from './word-bytes.ts'
import { CONTROLS, lineBytes, WordLine } from './word-line.ts'

/** Bytes of the shortest argument, and of the end of one. */
const ARGUMENT_BYTES_MIN = 6
const ARGUMENT_END_BYTES = 2

/** Quotes and escapes make one word of several, and a server ends the line at a zero byte: they are not for guessing. */
const INLINE_BYTES = lineBytes(' \t', `${CONTROLS.replace('\t', '')}"'\\`)

export class RespRequest {
  readonly command: RespCommand = new RespCommand()
  readonly #bound: MessageBound
  readonly #head = new RespHead(RESP_STATE.request)
  readonly #argument = new DataBlock('resp')
  readonly #word = new WordBytes()
  readonly #inline: WordLine = new WordLine('resp', INLINE_BYTES, this.command)
  #phase: 'start' | 'inline' | 'count' | 'length' | 'argument' = 'start'
  /** Arguments to come. */
  #left = 0

  constructor(bound: MessageBound) {
    this.#bound = bound
  }

  /** Index behind the request, or -1 where it goes on. Errors: FRAME_BROKEN, LIMIT_OVERRUN. */
  find(bytes: Uint8Array, to: number): number {
    for (let index = 0; index < to; ) {
      if (this.#phase === 'start') this.#begin(bytes[index] ?? 0)
      index = this.#findPhase(bytes, index, to)
      if (index === -1) return -1
      if (this.#endPhase(index)) return index
    }
    return -1
  }

  #begin(first: number): void {
    this.command.begin()
    if (INLINE_STARTS.has(first)) {
      this.#inline.begin()
      this.#phase = 'inline'
    } else {
      this.#head.begin(RESP_STATE.request)
      this.#phase = 'count'
    }
  }

  #findPhase(bytes: Uint8Array, from: number, to: number): number {
    switch (this.#phase) {
      case 'inline':
        return this.#inline.find(bytes, from, to)
      case 'argument':
        if (!this.command.isSettled) this.#word.add(bytes, from, from + this.#argument.dataWithin(to - from))
        return this.#argument.find(bytes, from, to)
      default:
        return this.#head.find(bytes, from, to)
    }
  }

  /** Whether the request ends with it. */
  #endPhase(index: number): boolean {
    switch (this.#phase) {
      case 'count':
        this.#left = this.#head.announced
        if (this.#left === 0) throw frameBroken('resp', 'a request is empty')
        this.#bound.expect(index, this.#left * ARGUMENT_BYTES_MIN)
        return this.#beginLength()
      case 'length':
        return this.#beginArgument(this.#head.announced, index)
      case 'argument':
        if (!this.command.isSettled) this.command.takeWord(this.#word.take())
        this.#left -= 1
        return this.#left === 0 ? this.#end() : this.#beginLength()
      default:
        return this.#end()
    }
  }

  #beginLength(): false {
    this.#head.begin(RESP_STATE.argument)
    this.#phase = 'length'
    return false
  }

  #beginArgument(bytes: number, index: number): false {
    if (bytes > LIMITS.respBulkBytesMax)
      throw frameBroken('resp', `an argument is longer than ${LIMITS.respBulkBytesMax} bytes`)
    this.#bound.expect(index, bytes + ARGUMENT_END_BYTES)
    this.#argument.begin(bytes)
    this.#phase = 'argument'
    return false
  }

  #end(): true {
    this.#phase = 'start'
    return true
  }
}
