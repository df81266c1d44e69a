/** RESP2 and RESP3, which Redis and its kin speak: an answer is one value, a request one array of strings or one line. */
import type { AnswerCutter, CallerMessage, Frame, MessageCutter, PeerMessage } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { MessageBound } from './message-bound.ts'
import { RespRequest } from './resp-request.ts'
import { RespValue } from './resp-value.ts'

/** `max`: bytes of the longest message. */
export function respFrame(max: number): Frame {
  return {
    name: 'resp',
    max,
    balances: true,
    answers: () => new RespAnswers(max),
    requests: () => new RespRequests(max),
  }
}

class RespAnswers implements AnswerCutter {
  readonly #bound: MessageBound
  readonly #value: RespValue

  constructor(max: number) {
    this.#bound = new MessageBound(max)
    this.#value = new RespValue(this.#bound)
  }

  get isBetween(): boolean {
    return this.#bound.isBetween
  }

  next(bytes: Uint8Array): PeerMessage | null {
    const message = this.#bound.settle(bytes, this.#value.find(bytes, this.#bound.reach(bytes)))
    if (message === null) return null
    // Named, as each answer of a pool passes here: a spread costs an object more.
    const { taken, length } = message
    return { taken, length, kind: this.#value.kind, isLast: false }
  }

  asked(): void {}

  end(): null {
    if (this.isBetween) return null
    throw frameBroken('resp', 'the stream ends within a value')
  }
}

class RespRequests implements MessageCutter<CallerMessage> {
  readonly #bound: MessageBound
  readonly #request: RespRequest

  constructor(max: number) {
    this.#bound = new MessageBound(max)
    this.#request = new RespRequest(this.#bound)
  }

  get isBetween(): boolean {
    return this.#bound.isBetween
  }

  next(bytes: Uint8Array): CallerMessage | null {
    const message = this.#bound.settle(bytes, this.#request.find(bytes, this.#bound.reach(bytes)))
    if (message === null) return null
    const { taken, length } = message
    const { name, isExclusive, isPassing } = this.#request.command
    return { taken, length, answers: 1, command: name, isExclusive, isPassing }
  }
}
