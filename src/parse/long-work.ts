/**
 * Parses of complete inputs that are under way, and how far those are that take long. How far it is a thread says in shared
 * words: one that works hears no message.
 */
import { LIMITS } from '../base/limits.ts'
import type { LongParse } from '../base/parse-load.ts'
import { ParseProgress, type ProgressMemory } from '../channel/parse-progress.ts'

type Entry = {
  readonly format: string
  readonly bytes: number
  readonly sinceMs: number
  readonly progress: ParseProgress
}

export class LongWork {
  readonly #onProgress: (parse: LongParse) => void
  readonly #entries = new Set<Entry>()
  #timer: NodeJS.Timeout | null = null

  /** `onProgress`: hears of each long parse, once in LIMITS.parseLongMs. */
  constructor(onProgress: (parse: LongParse) => void) {
    this.#onProgress = onProgress
  }

  /** Those that take longer than LIMITS.parseLongMs. */
  get rows(): readonly LongParse[] {
    const now = performance.now()
    return [...this.#entries]
      .map(({ format, bytes, sinceMs, progress }) => ({
        format,
        bytes,
        bytesDone: progress.bytes,
        values: progress.values,
        ms: Math.round(now - sinceMs),
      }))
      .filter(({ ms }) => ms >= LIMITS.parseLongMs)
  }

  /** Follows one parse for as long as `run` takes. */
  async follow<T>(format: string, bytes: number, run: (progress: ProgressMemory) => Promise<T>): Promise<T> {
    const entry = { format, bytes, sinceMs: performance.now(), progress: new ParseProgress() }
    this.#entries.add(entry)
    this.#timer ??= setInterval(() => this.#tell(), LIMITS.parseLongMs).unref()
    try {
      return await run(entry.progress.memory)
    } finally {
      this.#entries.delete(entry)
      if (this.#entries.size === 0) this.#rest()
    }
  }

  #tell(): void {
    for (const row of this.rows) this.#onProgress(row)
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}
