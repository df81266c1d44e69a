/**
 * Bytes in the order of their arrival, as a list of chunks that are taken from the front without joining them.
 *
 *   chunks   taken … taken │ first ──────────────── │ … │ last ──────────────── │
 *                     head ─┘ skipped │ bytes        │   │ bytes        │ spare  │
 *
 * Small pieces are copied together into blocks, which grow with what the list holds: so neither memory nor time depends
 * on how many pieces there were, but on their bytes alone. A taken chunk leaves its place empty; the places go once they
 * are the half of the list. Who has more to do with chunks than to keep them in order makes a class of its own of it
 * (AsideList): what its fields mean is written here.
 */

/** Bytes of a block: a smaller one would be mostly bookkeeping, a larger one mostly empty. */
const BLOCK_BYTES_MIN = 512
const BLOCK_BYTES_MAX = 1_048_576
/** Bytes from which on a piece is kept rather than copied. */
const PIECE_BYTES_MIN = 16_384
/** So few empty places are not worth a look. */
const TAKEN_MAX = 32

const TAKEN: Buffer = Buffer.alloc(0)

export class ChunkList {
  protected readonly chunks: Buffer[] = []
  /** Empty places before the first chunk. */
  protected head = 0
  /** Bytes of the first chunk that are gone already; whoever puts bytes back puts them there. */
  protected skipped = 0
  /** Of those, the first so many are in use elsewhere, and no place for anything. */
  protected viewed = 0
  /** Bytes of the last chunk that are still to be filled. */
  protected spare = 0
  protected filled = 0

  get length(): number {
    return this.filled
  }

  /** Keeps the chunk itself, and may write to it: whoever has another use for it appends it. */
  push(chunk: Buffer): void {
    const { length } = chunk
    if (length === 0) return
    if (length < PIECE_BYTES_MIN && this.filled > 0) return this.append(chunk)
    this.add(chunk, 0)
    this.filled += length
  }

  /** Keeps a copy. */
  append(bytes: Uint8Array): void {
    const { length } = bytes
    if (length === 0) return
    if (length > this.spare) {
      const size = this.#blockSize(length)
      this.add(Buffer.allocUnsafe(size), size)
    }
    const block = this.chunks[this.chunks.length - 1] as Buffer
    block.set(bytes, block.length - this.spare)
    this.spare -= length
    this.filled += length
  }

  /** As `append`, but before all others. */
  unshift(bytes: Uint8Array): void {
    const { length } = bytes
    if (length === 0) return
    if (length > this.skipped - this.viewed) this.#addFront(Buffer.allocUnsafe(this.#blockSize(length)))
    this.skipped -= length
    const first = this.chunks[this.head] as Buffer
    first.set(bytes, this.skipped)
    this.filled += length
  }

  /** The first chunk, or what is left of it; undefined when there are no bytes. */
  first(): Buffer | undefined {
    return this.head < this.chunks.length ? this.view(this.head) : undefined
  }

  /** The chunks in place, in order. */
  *views(): Generator<Buffer, void, undefined> {
    for (let at = this.head; at < this.chunks.length; at++) yield this.view(at)
  }

  /** Copies the first `target.length` bytes, of which there must be as many, into `target` and drops them. */
  takeInto(target: Buffer): void {
    let filled = 0
    for (let at = this.head; filled < target.length && at < this.chunks.length; at++)
      filled += this.view(at).copy(target, filled)
    this.drop(filled)
  }

  /** Takes all bytes, joined in memory of their own that can be posted to another thread. */
  takeAll(): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.filled)
    this.takeInto(bytes)
    return bytes
  }

  /** Drops the first `count` bytes. */
  drop(count: number): void {
    this.filled -= count
    if (this.filled === 0) return this.#clear()
    this.skipped += count
    for (;;) {
      const { length } = this.chunks[this.head] as Buffer
      if (this.skipped < length) break
      this.skipped -= length
      this.viewed = 0
      // Its memory is free from now on, whenever the place goes.
      this.chunks[this.head] = TAKEN
      this.head++
    }
    if (this.head <= TAKEN_MAX || this.head * 2 < this.chunks.length) return
    this.chunks.splice(0, this.head)
    this.head = 0
  }

  #clear(): void {
    this.chunks.length = 0
    this.head = 0
    this.skipped = 0
    this.viewed = 0
    this.spare = 0
  }

  protected view(at: number): Buffer {
    const chunk = this.chunks[at] as Buffer
    const from = at === this.head ? this.skipped : 0
    const spare = at === this.chunks.length - 1 ? this.spare : 0
    return from === 0 && spare === 0 ? chunk : chunk.subarray(from, chunk.length - spare)
  }

  /** A list of one piece takes no more memory than that. */
  #blockSize(least: number): number {
    if (this.filled === 0) return least
    return Math.max(least, Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, this.filled)))
  }

  protected add(chunk: Buffer, spare: number): void {
    const last = this.chunks.length - 1
    if (this.spare > 0) {
      const block = this.chunks[last] as Buffer
      this.chunks[last] = block.subarray(0, block.length - this.spare)
    }
    this.chunks.push(chunk)
    this.spare = spare
  }

  /** An empty block before the first chunk. */
  #addFront(block: Buffer): void {
    if (this.skipped > 0) {
      this.chunks[this.head] = (this.chunks[this.head] as Buffer).subarray(this.skipped)
    }
    if (this.head > 0) this.chunks[--this.head] = block
    else this.chunks.unshift(block)
    this.skipped = block.length
    this.viewed = 0
  }
}
