/**
 * Durations by name and bucket in shared memory: one thread counts, and others read without asking it.
 *
 *   word 0          names so far
 *   then for each   1 word        bytes of the name
 *                   15 words      the name, as UTF-8
 *                   18 words      one for each bucket: how many
 *                   1 word        nanoseconds of all of them together
 *
 * A name is there to be read once word 0 counts it, and never changes. Words are 64 bit: none of them wraps. A thread that
 * takes the place of a dead one goes on with its memory.
 */
import { DURATION_BUCKETS, durationBucket } from '../base/duration-buckets.ts'
import type { DurationCounts, Exemplar } from '../base/duration-tally.ts'
import { invariant } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'

export type DurationsMemory = SharedArrayBuffer

export type NamedDurations = DurationCounts & { readonly name: string }

const WORD_BYTES = BigInt64Array.BYTES_PER_ELEMENT
const HEAD_WORDS = 1
const NAME_WORDS = LIMITS.requestKindBytesMax / WORD_BYTES
const COUNTS_AT = 1 + NAME_WORDS
const SUM_AT = COUNTS_AT + DURATION_BUCKETS
const ENTRY_WORDS = SUM_AT + 1
const NS_PER_MS = 1_000_000
const NS_PER_SECOND = 1_000_000_000

export class SharedDurations {
  readonly memory: DurationsMemory
  readonly #words: BigInt64Array
  readonly #bytes: Buffer
  readonly #namesMax: number
  readonly #overflow: string
  /** Where each name's entry begins; of the counting thread. */
  readonly #places = new Map<string, number>()
  /** Of this thread alone, by name and bucket. */
  readonly #exemplars = new Map<string, Map<number, Exemplar>>()

  /** `overflow`: the name of all that finds no room for its own. */
  constructor(
    namesMax: number,
    overflow: string,
    memory: DurationsMemory = new SharedArrayBuffer((HEAD_WORDS + namesMax * ENTRY_WORDS) * WORD_BYTES),
  ) {
    this.memory = memory
    this.#namesMax = namesMax
    this.#overflow = overflow
    this.#words = new BigInt64Array(memory)
    this.#bytes = Buffer.from(memory)
    for (const [name, place] of this.#entries()) this.#places.set(name, place)
  }

  /** The counting thread only. `traceId`: of a trace of it that is recorded. */
  observe(name: string, ms: number, traceId: string | null = null): void {
    const place = this.#places.get(name) ?? this.#placeOf(name)
    const bucket = durationBucket(ms)
    Atomics.add(this.#words, place + COUNTS_AT + bucket, 1n)
    Atomics.add(this.#words, place + SUM_AT, BigInt(Math.round(ms * NS_PER_MS)))
    if (traceId === null) return
    const exemplars = this.#exemplars.get(name) ?? new Map<number, Exemplar>()
    this.#exemplars.set(name, exemplars.set(bucket, { traceId, seconds: ms / 1_000, atMs: Date.now() }))
  }

  /** All that has been counted. */
  rows(): NamedDurations[] {
    return Array.from(this.#entries(), ([name, place]) => {
      const buckets = { length: DURATION_BUCKETS }
      const counts = Array.from(buckets, (_none, bucket) => this.#load(place + COUNTS_AT + bucket))
      const sumSeconds = this.#load(place + SUM_AT) / NS_PER_SECOND
      return { name, counts, sumSeconds, exemplars: this.#exemplars.get(name) ?? null }
    })
  }

  *#entries(): Generator<readonly [name: string, place: number]> {
    const names = this.#load(0)
    for (let place = HEAD_WORDS; place < HEAD_WORDS + names * ENTRY_WORDS; place += ENTRY_WORDS) {
      const start = (place + 1) * WORD_BYTES
      const bytes = this.#bytes.subarray(start, start + this.#load(place))
      // A copy: text is not decoded from memory that others may change.
      yield [Buffer.from(bytes).toString(), place]
    }
  }

  /** A place for a name that has none yet. The last one is for all that comes after. */
  #placeOf(name: string): number {
    const names = this.#load(0)
    const isLast = names >= this.#namesMax - 1
    if (isLast && name !== this.#overflow) {
      const place = this.#places.get(this.#overflow) ?? this.#placeOf(this.#overflow)
      return place
    }
    const bytes = Buffer.from(name).subarray(0, LIMITS.requestKindBytesMax)
    invariant(names < this.#namesMax, 'there is room for one name more')
    const place = HEAD_WORDS + names * ENTRY_WORDS
    this.#bytes.set(bytes, (place + 1) * WORD_BYTES)
    Atomics.store(this.#words, place, BigInt(bytes.length))
    Atomics.store(this.#words, 0, BigInt(names + 1))
    this.#places.set(name, place)
    return place
  }

  #load(word: number): number {
    return Number(Atomics.load(this.#words, word))
  }
}
