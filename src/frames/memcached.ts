/** The text protocol of memcached, with its meta commands. */
import type { AnswerCutter, CallerMessage, Frame, MessageCutter, PeerMessage } from './frame.ts'
import { frameBroken } from './frame-errors.ts'
import { MemcachedAnswer } from './memcached-answer.ts'
import { MemcachedRequest } from './memcached-request.ts'
import { MessageBound } from './message-bound.ts'

/** `max`: bytes of the longest message. */
export function memcachedFrame(max: number): Frame {
  return {
    name: 'memcached',
    max,
    balances: true,
    answers: () => new MemcachedAnswers(max),
    requests: () => new MemcachedRequests(max),
  }
}

class MemcachedAnswers implements AnswerCutter {
  readonly #bound: MessageBound
  readonly #answer: MemcachedAnswer

  constructor(max: number) {
    this.#bound = new MessageBound(max)
    this.#answer = new MemcachedAnswer(this.#bound)
  }

  get isBetween(): boolean {
    return this.#bound.isBetween
  }

  next(bytes: Uint8Array): PeerMessage | null {
    const message = this.#bound.settle(bytes, this.#answer.find(bytes, this.#bound.reach(bytes)))
    return message && { ...message, kind: 'answer', isLast: false }
  }

  asked(): void {}

  end(): null {
    if (this.isBetween) return null
    throw frameBroken('memcached', 'the stream ends within an answer')
  }
}

class MemcachedRequests implements MessageCutter<CallerMessage> {
  readonly #bound: MessageBound
  readonly #request: MemcachedRequest

  constructor(max: number) {
    this.#bound = new MessageBound(max)
    this.#request = new MemcachedRequest(this.#bound)
  }

  get isBetween(): boolean {
    return this.#bound.isBetween
  }

  next(bytes: Uint8Array): CallerMessage | null {
    const message = this.#bound.settle(bytes, this.#request.find(bytes, this.#bound.reach(bytes)))
    return message && { ...message, ...this.#request.facts }
  }
}
