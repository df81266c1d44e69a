/**
 * What one tenant has in use on all threads together, and how fast it asks. Any thread changes it, and none waits for
 * another: each change is one compare-and-exchange of one word.
 *
 *   word 0      rate: the time in ns at which the tenant's bucket is full again
 *   word 1      leases (upper half) and waiters (lower half), so that one exchange judges and counts both
 *   word 2      bytes held in memory
 *   from 3 on   for each thread its own part of words 1 and 2, which it alone writes: what a dead thread had in use is
 *               taken off again. A thread killed between the two writes leaves one count behind; nothing but a kill
 *               from outside can end it there.
 */
export type TallyMemory = SharedArrayBuffer

/** Of a quota, as counted. */
export type TallyCounts = { readonly leases: number; readonly waiters: number }

const RATE = 0
const COUNTS = 1
const BYTES = 2
const FIRST_PART = 3
const WORDS_OF_PART = 2

const HALF = 32n
const LOWER = 0xffff_ffffn

export class SharedTally {
  readonly memory: TallyMemory
  readonly #words: BigInt64Array
  readonly #slot: number
  readonly #part: number

  /** `threads`: that share it. `slot`: which of them this is, from 0. */
  constructor(threads: number, slot: number, memory: TallyMemory = allocate(threads)) {
    this.memory = memory
    this.#words = new BigInt64Array(memory)
    this.#slot = slot
    this.#part = FIRST_PART + slot * WORDS_OF_PART
  }

  get counts(): TallyCounts {
    return countsOf(Atomics.load(this.#words, COUNTS))
  }

  get bytes(): number {
    return Number(Atomics.load(this.#words, BYTES))
  }

  /** Counts a lease and a waiter where both stay within their bounds; false, and nothing is counted, where not. */
  enter(leasesMax: number, waitersMax: number): boolean {
    for (;;) {
      const seen = Atomics.load(this.#words, COUNTS)
      const { leases, waiters } = countsOf(seen)
      if (leases >= leasesMax || waiters >= waitersMax) return false
      if (!this.#change(COUNTS, seen, seen + packed(1, 1))) continue
      Atomics.add(this.#words, this.#part, packed(1, 1))
      return true
    }
  }

  /** Takes so many off again. */
  leave({ leases, waiters }: TallyCounts): void {
    const less = packed(leases, waiters)
    Atomics.sub(this.#words, COUNTS, less)
    Atomics.sub(this.#words, this.#part, less)
  }

  /** A negative number takes bytes off again. */
  addBytes(bytes: number): void {
    Atomics.add(this.#words, BYTES, BigInt(bytes))
    Atomics.add(this.#words, this.#part + 1, BigInt(bytes))
  }

  /**
   * Takes one turn of a bucket that holds `burst` turns and gains one each `intervalNs`. 0 where it was taken, else the
   * nanoseconds until there is one. `nowNs`: of the one clock that all threads read.
   */
  takeTurn(nowNs: bigint, intervalNs: bigint, burst: bigint): bigint {
    for (;;) {
      const seen = Atomics.load(this.#words, RATE)
      const full = (seen > nowNs ? seen : nowNs) + intervalNs
      const lateNs = full - nowNs - burst * intervalNs
      if (lateNs > 0n) return lateNs
      if (this.#change(RATE, seen, full)) return 0n
    }
  }

  /** Another rate begins, with a full bucket. The first thread says so for all; the others learn of the rate later. */
  beginRate(): void {
    if (this.#slot === 0) Atomics.store(this.#words, RATE, 0n)
  }

  /** Takes off what the thread of this slot had in use, which is dead. */
  forgetPart(slot: number): void {
    const part = FIRST_PART + slot * WORDS_OF_PART
    Atomics.sub(this.#words, COUNTS, Atomics.exchange(this.#words, part, 0n))
    Atomics.sub(this.#words, BYTES, Atomics.exchange(this.#words, part + 1, 0n))
  }

  #change(word: number, from: bigint, to: bigint): boolean {
    return Atomics.compareExchange(this.#words, word, from, to) === from
  }
}

function allocate(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer((FIRST_PART + threads * WORDS_OF_PART) * BigInt64Array.BYTES_PER_ELEMENT)
}

function packed(leases: number, waiters: number): bigint {
  return (BigInt(leases) << HALF) + BigInt(waiters)
}

function countsOf(word: bigint): TallyCounts {
  return { leases: Number(word >> HALF), waiters: Number(word & LOWER) }
}
