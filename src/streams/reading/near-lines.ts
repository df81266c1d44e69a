/** The lines that are there already, and that a reader can have at once: by the source's short cut, and with no read before them. */
import type { BufferedReads } from './buffered-reads.ts'
import type { PendingRead } from './pending-read.ts'

const NONE: readonly Buffer[] = []

export class NearLines {
  readonly #pending: PendingRead
  readonly #reads: BufferedReads

  constructor(pending: PendingRead, reads: BufferedReads) {
    this.#pending = pending
    this.#reads = reads
  }

  /** Whether there is a whole line, by the short cut or not. */
  get hasLine(): boolean {
    return this.#reads.hasLine
  }

  /** Takes the next one, of at most `limit` bytes before its end; null where that does not lead to one. */
  next(limit: number): Buffer | null {
    const line = this.#pending.isClear ? this.#reads.shortLine(limit) : null
    if (line !== null) this.#pending.served('readline')
    return line
  }

  /** As `next`, for as many in a row as can be had so, at most `count`. */
  take(limit: number, count: number): readonly Buffer[] {
    const lines = this.#pending.isClear ? this.#reads.shortLines(limit, count) : NONE
    if (lines.length > 0) this.#pending.served('readline')
    return lines
  }
}
