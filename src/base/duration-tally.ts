/**
 * Durations of one kind, counted by buckets: what a histogram of them is made of when somebody asks. To count one costs a
 * walk over the bounds, and allocates nothing but where a trace is recorded.
 */
import { activeTraceId } from './active-trace.ts'
import { DURATION_BUCKETS, durationBucket } from './duration-buckets.ts'

/** One of the durations, by which its trace is found. */
export type Exemplar = {
  readonly traceId: string
  readonly seconds: number
  /** The time of day, in milliseconds. */
  readonly atMs: number
}

/** As counted so far. */
export type DurationCounts = {
  /** By bucket; not added up. */
  readonly counts: ArrayLike<number>
  readonly sumSeconds: number
  /** The latest of each bucket, where a trace of it is recorded. */
  readonly exemplars: ReadonlyMap<number, Exemplar> | null
}

export class DurationTally implements DurationCounts {
  readonly counts: Float64Array = new Float64Array(DURATION_BUCKETS)
  #sumMs = 0
  #exemplars: Map<number, Exemplar> | null = null

  get sumSeconds(): number {
    return this.#sumMs / 1_000
  }

  get exemplars(): ReadonlyMap<number, Exemplar> | null {
    return this.#exemplars
  }

  /** How many so far. */
  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }

  /** To be called where the trace of what took so long is active. */
  observe(ms: number): void {
    const bucket = durationBucket(ms)
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.#sumMs += ms
    const traceId = activeTraceId()
    if (traceId === null) return
    this.#exemplars ??= new Map()
    this.#exemplars.set(bucket, { traceId, seconds: ms / 1_000, atMs: Date.now() })
  }
}
