/**
 * Answers that may come in any order, handed on in the order of their requests: those that are there in one turn go out
 * together.
 */
import type { AnswerSink } from './carrier.ts'

/** An answer, and whether others may follow it. `bytes`: null where there are none. */
export type PlacedAnswer = { readonly bytes: Buffer | null; readonly isLast: boolean }

export class OrderedAnswers {
  /** Resolves when all are handed on (true), or the first that none may follow (false). It never rejects. */
  readonly done: Promise<boolean>
  readonly #resolve: (isWhole: boolean) => void
  readonly #places: (PlacedAnswer | undefined)[]
  readonly #sink: AnswerSink
  #next = 0
  #isFlushing = false

  constructor(count: number, sink: AnswerSink) {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.done = promise
    this.#resolve = resolve
    this.#places = new Array<PlacedAnswer | undefined>(count)
    this.#sink = sink
  }

  /** The answer to the request at this place. */
  came(place: number, answer: PlacedAnswer): void {
    this.#places[place] = answer
    if (place !== this.#next || this.#isFlushing) return
    this.#isFlushing = true
    // The others of this turn are right behind it.
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const pieces: Buffer[] = []
    let isLast = false
    for (;;) {
      const answer = this.#places[this.#next]
      if (answer === undefined || isLast) break
      this.#places[this.#next++] = undefined
      isLast = answer.isLast
      if (answer.bytes !== null) pieces.push(answer.bytes)
    }
    const [first] = pieces
    if (first !== undefined)
      this.#sink.took(pieces.length === 1 ? first : Buffer.concat(pieces), pieces.length)
    // What comes behind the last is nobody's.
    this.#isFlushing = isLast
    if (isLast) this.#resolve(false)
    else if (this.#next === this.#places.length) this.#resolve(true)
  }
}
