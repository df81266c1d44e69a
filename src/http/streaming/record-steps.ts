/**
 * The parse of a body that comes in parts, step by step. A parse thread has it for no longer than a step; while the client
 * sends nothing, or reads nothing, no thread waits for it.
 */
import { reviveError, type SockpoolError } from '../../base/errors.ts'
import { INPUT_START, type InputPart, type InputRest, type PartResult } from '../../base/input-part.ts'
import { LIMITS } from '../../base/limits.ts'
import { aborted } from '../../base/wait.ts'
import type { BodyAhead } from '../bytes/body-ahead.ts'

export type RecordStepsOptions = {
  readonly ahead: BodyAhead
  readonly step: (part: InputPart) => Promise<PartResult>
  /** Counts so many bytes as held. Errors: QUEUE_FULL. */
  readonly hold: (bytes: number) => void
  /** The client has gone. */
  readonly signal: AbortSignal
}

export type RecordBatch =
  | {
      readonly kind: 'values'
      readonly texts: readonly Uint8Array[]
      /** No batch comes after it. */
      readonly isLast: boolean
      /** What ended the parse behind these values; then `isLast`. */
      readonly failure: SockpoolError | null
    }
  /** The format has to see the whole input: what has come of it, of which nothing was parsed. */
  | { readonly kind: 'whole'; readonly pieces: readonly Uint8Array[]; readonly isLast: boolean }

export class RecordSteps {
  readonly #options: RecordStepsOptions
  #rest: InputRest = INPUT_START
  #isLast = false
  #hasMore = false
  /** Since when the value is under way that is not whole. */
  #sinceMs: number | null = null

  constructor(options: RecordStepsOptions) {
    this.#options = options
  }

  /** The next values. Not after the last. Errors: those of the body and of the parse threads, QUEUE_FULL, ABORTED. */
  async next(): Promise<RecordBatch> {
    const { step, hold, signal, ahead } = this.#options
    for (;;) {
      if (!this.#hasMore) await this.#more()
      const result = await step({ ...this.#rest, isLast: this.#isLast })
      if (signal.aborted) throw aborted('the parse', signal)
      this.#rest = result.rest
      const { pieces } = result.rest
      if (result.kind === 'whole') return { kind: 'whole', pieces, isLast: this.#isLast }
      const { texts, hasMore, failure, count } = result
      hold(bytesIn(pieces) + bytesIn(texts) + ahead.bytes)
      this.#hasMore = hasMore
      this.#sinceMs = count > 0 || pieces.length === 0 ? null : (this.#sinceMs ?? performance.now())
      const isLast = failure !== null || (this.#isLast && !hasMore)
      if (texts.length > 0 || isLast)
        return { kind: 'values', texts, isLast, failure: failure && reviveError(failure) }
    }
  }

  /**
   * Adds what has come to the rest. Where a step found no value, the next one waits for a whole part, or for as much again
   * where the cutter begins anew; and for a client that sends it bit by bit no longer than a share of its time.
   */
  async #more(): Promise<void> {
    const { ahead } = this.#options
    if (this.#sinceMs === null) await ahead.more(1)
    else {
      const { seen, pieces } = this.#rest
      const again = seen?.cutter ? 0 : bytesIn(pieces)
      const shareMs = (performance.now() - this.#sinceMs) / LIMITS.parsePauseShare
      await ahead.more(Math.max(LIMITS.parsePartBytes, again), Math.min(LIMITS.parsePauseMs, shareMs))
    }
    const { pieces, isLast } = ahead.take()
    this.#rest = { ...this.#rest, pieces: [...this.#rest.pieces, ...pieces] }
    this.#isLast = isLast
  }
}

function bytesIn(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}
