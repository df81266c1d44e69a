/**
 * Bytes in the order of their arrival, as a list of chunks that are taken from the front without joining them.
 *
 *   #chunks   taken … taken │ first ──────────────── │ … │ last ───────────────── │
 *                     #head ─┘ #skipped │ bytes       │   │ bytes        │ #spare  │
 *
 * Small pieces are copied together into blocks, which grow with what the list holds: so neither memory nor time depends
 * on how many pieces there were, but on their bytes alone. A taken chunk leaves its place empty; the places go once they
 * are the half of the list.
 */
import { LIMITS } from './limits.ts'

/** Bytes of a block: a smaller one would be mostly bookkeeping, a larger one mostly empty. */
const BLOCK_BYTES_MIN = 512
const BLOCK_BYTES_MAX = 1_048_576
/** Bytes from which on a piece is kept rather than copied. */
const PIECE_BYTES_MIN = 16_384
/** So few empty places are not worth a look. */
const TAKEN_MAX = 32

const TAKEN: Buffer = Buffer.alloc(0)

export class ChunkList {
  readonly #chunks: Buffer[] = []
  /** Empty places before the first chunk. */
  #head = 0
  /** Bytes of the first chunk that are gone already; whoever puts bytes back puts them there. */
  #skipped = 0
  /** Of those, the first so many are in use elsewhere, and no place for anything. */
  #viewed = 0
  /** Bytes of the last chunk that are still to be filled. */
  #spare = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Keeps the chunk itself, and may write to it: whoever has another use for it appends it. */
  push(chunk: Buffer): void {
    const { length } = chunk
    if (length === 0) return
    if (length < PIECE_BYTES_MIN && this.#length > 0) return this.append(chunk)
    this.#add(chunk, 0)
    this.#length += length
  }

  /** Keeps a copy. */
  append(bytes: Uint8Array): void {
    const { length } = bytes
    if (length === 0) return
    if (length > this.#spare) {
      const size = this.#blockSize(length)
      this.#add(Buffer.allocUnsafe(size), size)
    }
    const block = this.#chunks[this.#chunks.length - 1] as Buffer
    block.set(bytes, block.length - this.#spare)
    this.#spare -= length
    this.#length += length
  }

  /** As `append` of so many bytes at most, as far as the last block has room for them; `fill` puts them in place. How many. */
  appendInto(most: number, fill: (target: Buffer) => void): number {
    const count = Math.min(most, this.#spare)
    if (count === 0) return 0
    const block = this.#chunks[this.#chunks.length - 1] as Buffer
    const at = block.length - this.#spare
    fill(block.subarray(at, at + count))
    this.#spare -= count
    this.#length += count
    return count
  }

  /**
   * Joins what is there in a block with room for `count` bytes in all, where that is not too much for what is there: once it is
   * full, `takeWhole` takes it as it is.
   */
  reserve(count: number): void {
    if (this.#length * LIMITS.asideShareMax < count || count > LIMITS.asideBlockBytesMax) return
    if (count <= this.#length + this.#spare) return
    const block = Buffer.allocUnsafeSlow(count)
    const filled = this.#length
    this.takeInto(block.subarray(0, filled))
    this.#add(block, count - filled)
    this.#length = filled
  }

  /** Takes so many bytes without a copy, where the first block has just these, and its memory nothing else; null: it has not. */
  takeWhole(count: number): Buffer | null {
    const block = this.#chunks[this.#head]
    if (block?.length !== count || count > this.#length || this.#skipped > 0 || !isAlone(block)) return null
    const spare = this.#head === this.#chunks.length - 1 ? this.#spare : 0
    if (spare > 0) return null
    this.drop(count)
    return block
  }

  /** As `append`, but before all others. */
  unshift(bytes: Uint8Array): void {
    const { length } = bytes
    if (length === 0) return
    if (length > this.#skipped - this.#viewed) this.#addFront(Buffer.allocUnsafe(this.#blockSize(length)))
    this.#skipped -= length
    const first = this.#chunks[this.#head] as Buffer
    first.set(bytes, this.#skipped)
    this.#length += length
  }

  /** The first chunk, or what is left of it; undefined when there are no bytes. */
  first(): Buffer | undefined {
    return this.#head < this.#chunks.length ? this.#view(this.#head) : undefined
  }

  /** The chunks in place, in order. */
  *views(): Generator<Buffer, void, undefined> {
    for (let at = this.#head; at < this.#chunks.length; at++) yield this.#view(at)
  }

  /** As `views`, all at once: for who looks at them again for every byte that comes. */
  viewList(): Buffer[] {
    const { length } = this.#chunks
    const list: Buffer[] = []
    for (let at = this.#head; at < length; at++) list.push(this.#view(at))
    return list
  }

  /** Copies the first `target.length` bytes, of which there must be as many, into `target` and drops them. */
  takeInto(target: Buffer): void {
    let filled = 0
    for (let at = this.#head; filled < target.length && at < this.#chunks.length; at++)
      filled += this.#view(at).copy(target, filled)
    this.drop(filled)
  }

  /**
   * Takes what is up to the first such byte, and that byte, as a view of the chunk that it lies in. Null, and nothing is
   * taken, where more than `most` bytes come before it, or it is not in the first chunk.
   */
  takeThrough(byte: number, most: number): Buffer | null {
    const chunk = this.#chunks[this.#head]
    if (chunk === undefined) return null
    const from = this.#skipped
    const at = chunk.indexOf(byte, from)
    const end = chunk.length - (this.#head === this.#chunks.length - 1 ? this.#spare : 0)
    if (at === -1 || at >= end || at - from > most) return null
    const taken = chunk.subarray(from, at + 1)
    this.#viewed = at + 1
    this.drop(taken.length)
    return taken
  }

  /** As `takeThrough`, again and again, at most `count` times. */
  takeEachThrough(byte: number, most: number, count: number): Buffer[] {
    const taken: Buffer[] = []
    const chunk = this.#chunks[this.#head]
    if (chunk === undefined) return taken
    const end = chunk.length - (this.#head === this.#chunks.length - 1 ? this.#spare : 0)
    let from = this.#skipped
    while (taken.length < count) {
      const at = chunk.indexOf(byte, from)
      if (at === -1 || at >= end || at - from > most) break
      taken.push(chunk.subarray(from, at + 1))
      from = at + 1
    }
    this.#viewed = from
    this.drop(from - this.#skipped)
    return taken
  }

  /** Takes all bytes, joined in memory of their own that can be posted to another thread. */
  takeAll(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.#length)
    this.takeInto(bytes)
    return bytes
  }

  /** Takes all bytes, in pieces that may be posted or transferred: none shares its memory with anything else. */
  takePieces(): readonly Buffer[] {
    const pieces = Array.from(this.views(), view => (isAlone(view) ? view : copyOf(view)))
    this.drop(this.#length)
    return pieces
  }

  /** Drops the first `count` bytes. */
  drop(count: number): void {
    this.#length -= count
    if (this.#length === 0) return this.#clear()
    this.#skipped += count
    for (;;) {
      const { length } = this.#chunks[this.#head] as Buffer
      if (this.#skipped < length) break
      this.#skipped -= length
      this.#viewed = 0
      // Its memory is free from now on, whenever the place goes.
      this.#chunks[this.#head] = TAKEN
      this.#head++
    }
    if (this.#head <= TAKEN_MAX || this.#head * 2 < this.#chunks.length) return
    this.#chunks.splice(0, this.#head)
    this.#head = 0
  }

  #clear(): void {
    this.#chunks.length = 0
    this.#head = 0
    this.#skipped = 0
    this.#viewed = 0
    this.#spare = 0
  }

  #view(at: number): Buffer {
    const chunk = this.#chunks[at] as Buffer
    const from = at === this.#head ? this.#skipped : 0
    const spare = at === this.#chunks.length - 1 ? this.#spare : 0
    return from === 0 && spare === 0 ? chunk : chunk.subarray(from, chunk.length - spare)
  }

  /** A list of one piece takes no more memory than that. */
  #blockSize(least: number): number {
    if (this.#length === 0) return least
    return Math.max(least, Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, this.#length)))
  }

  #add(chunk: Buffer, spare: number): void {
    const last = this.#chunks.length - 1
    if (this.#spare > 0) {
      const block = this.#chunks[last] as Buffer
      this.#chunks[last] = block.subarray(0, block.length - this.#spare)
    }
    this.#chunks.push(chunk)
    this.#spare = spare
  }

  /** An empty block before the first chunk. */
  #addFront(block: Buffer): void {
    if (this.#skipped > 0) {
      this.#chunks[this.#head] = (this.#chunks[this.#head] as Buffer).subarray(this.#skipped)
    }
    if (this.#head > 0) this.#chunks[--this.#head] = block
    else this.#chunks.unshift(block)
    this.#skipped = block.length
    this.#viewed = 0
  }
}

/** Whether nothing else lies in its memory. */
function isAlone({ buffer, length }: Buffer): boolean {
  return buffer.byteLength === length
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
