/**
 * The wide memories of one slab: a few large rings that its busiest inbound directions may move to.
 *
 *   claims   one word per wide ring: 0 free, 1 some channel's
 *   rings    side by side, after the channels of the slab
 *
 * To wake another thread costs as much as to copy a small ring whole, so a stream that fills and empties one again and
 * again spends its time on wakes; a larger ring makes them rare. Most connections never need one, and touched memory
 * never returns. So there are few, for whoever needs one just now. The I/O worker claims one; it is free again when the
 * I/O worker has left it, or when the pool takes the channel back.
 */
import type { WideMemory } from './ring-end.ts'
import { LINE_BYTES, LINE_SLOTS, SharedWords, type Words, wordsOf } from './words.ts'

/** Where the wide rings of a slab lie: byte offsets, and how many bytes each has. Plain data: it crosses threads. */
export type WidePlace = {
  readonly claims: number
  readonly rings: number
  readonly count: number
  readonly ringBytes: number
}

/** Bytes of a slab that `count` wide rings take up. */
export function wideBytes(count: number, ringBytes: number): number {
  return count * (LINE_BYTES + ringBytes)
}

/** One channel's share in the wide rings of its slab: none, or the one that its word names (0 none, n + 1 ring n). */
export class WideClaim implements WideMemory {
  readonly capacity: number
  readonly #words: Words
  readonly #word: number
  readonly #slab: SharedArrayBuffer
  readonly #place: WidePlace
  readonly #claims: SharedWords

  constructor(words: Words, word: number, slab: SharedArrayBuffer, place: WidePlace) {
    this.capacity = place.ringBytes
    this.#words = words
    this.#word = word
    this.#slab = slab
    this.#place = place
    const first = place.claims / Int32Array.BYTES_PER_ELEMENT
    this.#claims = new SharedWords(wordsOf(slab), first, LINE_SLOTS)
  }

  /** I/O worker only: makes sure of a ring to move to; false where none is free. */
  claim(): boolean {
    if (this.#words.load(this.#word) !== 0) return true
    for (let ring = 0; ring < this.#place.count; ring++) {
      if (this.#claims.exchange(ring, 1) !== 0) continue
      this.#words.store(this.#word, ring + 1)
      return true
    }
    return false
  }

  leave(): void {
    const ring = this.#words.exchange(this.#word, 0) - 1
    if (ring >= 0 && ring < this.#place.count) this.#claims.store(ring, 0)
  }

  /** The claimed ring's bytes; null where the word names none. */
  bytes(): Uint8Array | null {
    const { rings, ringBytes, count } = this.#place
    const ring = this.#words.load(this.#word) - 1
    if (ring < 0 || ring >= count) return null
    return new Uint8Array(this.#slab, rings + ring * ringBytes, ringBytes)
  }
}
