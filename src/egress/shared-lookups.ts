/**
 * Look-ups under way, by key: who asks for what is asked for already waits for the same answer, so that one name never
 * takes more than one place however many dials want it. A caller that gives up leaves; when the last one leaves a look-up
 * that still waits for its turn, it gives up its place in the row. One that has begun goes on, and may be joined again.
 */
import type { Address } from './address.ts'
import { abortError } from './lookup-slots.ts'

/** Waits for its turn as long as the signal lets it, says that it has begun, and asks. */
export type Lookup = (turn: AbortSignal, begun: () => void) => Promise<readonly Address[]>

type UnderWay = {
  readonly answer: Promise<readonly Address[]>
  readonly turn: AbortController
  readonly progress: { callers: number; hasBegun: boolean }
}

export class SharedLookups {
  readonly #underWay = new Map<string, UnderWay>()

  /** The answer of the look-up of that key, begun where there is none. Errors: the look-up's, the signal's own. */
  async join(key: string, signal: AbortSignal, lookup: Lookup): Promise<readonly Address[]> {
    if (signal.aborted) throw abortError(signal)
    const entry = this.#underWay.get(key) ?? this.#begin(key, lookup)
    const { progress } = entry
    progress.callers++
    const { promise, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => reject(abortError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([entry.answer, promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
      progress.callers--
      if (progress.callers === 0 && !progress.hasBegun) this.#giveUp(key, entry)
    }
  }

  #begin(key: string, lookup: Lookup): UnderWay {
    const turn = new AbortController()
    const progress = { callers: 0, hasBegun: false }
    const begun = (): void => {
      progress.hasBegun = true
    }
    const answer = lookup(turn.signal, begun)
    const entry: UnderWay = { answer, turn, progress }
    this.#underWay.set(key, entry)
    const over = (): void => this.#forget(key, entry)
    // Who gave up does not hear how it ended.
    answer.then(over, over)
    return entry
  }

  #giveUp(key: string, entry: UnderWay): void {
    this.#forget(key, entry)
    entry.turn.abort()
  }

  #forget(key: string, entry: UnderWay): void {
    if (this.#underWay.get(key) === entry) this.#underWay.delete(key)
  }
}
