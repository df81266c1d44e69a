/**
 * A frame whose requests and answers have one form, and whose messages say no more than where they end: each request gets
 * one answer, nothing is pushed, and no message is the last. Such frames differ in their search for the end alone.
 */
import type { CallerMessage, Frame, Message, MessageCutter, PeerMessage } from './frame.ts'
import { frameBroken, frameOverrun } from './frame-errors.ts'

export interface EndSearch {
  /**
   * Looks at the bytes behind those it was given before, at least one.
   *
   * `before`: how many bytes of the message came before these; 0 begins a new message.
   * Gives how many of these belong to the message, or 0 where all do and it goes on.
   * Errors: FRAME_BROKEN; LIMIT_OVERRUN where the message says its length itself.
   */
  find(bytes: Uint8Array, before: number): number
}

export type SymmetricRule = Pick<Frame, 'name' | 'max' | 'balances'> & {
  /** A search for one direction of one connection. */
  readonly search: () => EndSearch
}

export function symmetricFrame({ name, max, balances, search }: SymmetricRule): Frame {
  return {
    name,
    max,
    balances,
    answers: () => new SymmetricCutter(name, max, search(), answerOf),
    requests: () => new SymmetricCutter(name, max, search(), requestOf),
  }
}

function answerOf(taken: number, length: number): PeerMessage {
  return { taken, length, kind: 'answer', isLast: false }
}

function requestOf(taken: number, length: number): CallerMessage {
  return { taken, length, answers: 1, command: null, isExclusive: false }
}

/** Counts the bytes, and holds them against the bound. It serves answers and requests, which have no use for its last two methods. */
class SymmetricCutter<M extends Message> implements MessageCutter<M> {
  readonly #name: string
  readonly #max: number
  readonly #search: EndSearch
  readonly #messageOf: (taken: number, length: number) => M
  #before = 0

  constructor(name: string, max: number, search: EndSearch, messageOf: (taken: number, length: number) => M) {
    this.#name = name
    this.#max = max
    this.#search = search
    this.#messageOf = messageOf
  }

  get isBetween(): boolean {
    return this.#before === 0
  }

  next(bytes: Uint8Array): M | null {
    if (bytes.length === 0) return null
    const taken = this.#search.find(bytes, this.#before)
    const length = this.#before + (taken === 0 ? bytes.length : taken)
    if (length > this.#max) throw frameOverrun(this.#name, this.#max, this.#max)
    this.#before = taken === 0 ? length : 0
    return taken === 0 ? null : this.#messageOf(taken, length)
  }

  /** What was asked changes nothing here. */
  asked(_request: CallerMessage): void {}

  end(): null {
    if (this.isBetween) return null
    throw frameBroken(this.#name, 'the message is cut off by the end of the stream')
  }
}
