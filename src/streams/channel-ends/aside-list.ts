/**
 * Bytes that were taken out of a ring and are still to be read: a ChunkList that memory is set aside in for a read of more than
 * a ring holds, and that is taken from without a copy where that can be.
 */
import { ChunkList } from '../../base/chunk-list.ts'
import { LIMITS } from '../../base/limits.ts'

export class AsideList extends ChunkList {
  /** As `append` of so many bytes at most, as far as the last block has room for them; `fill` puts them in place. How many. */
  appendInto(most: number, fill: (target: Buffer) => void): number {
    const count = Math.min(most, this.spare)
    if (count === 0) return 0
    const block = this.chunks[this.chunks.length - 1] as Buffer
    const at = block.length - this.spare
    fill(block.subarray(at, at + count))
    this.spare -= count
    this.filled += count
    return count
  }

  /**
   * Joins what is there in a block with room for `count` bytes in all, where that is not too much for what is there: once it is
   * full, `takeWhole` takes it as it is.
   */
  reserve(count: number): void {
    if (this.filled * LIMITS.asideShareMax < count || count > LIMITS.asideBlockBytesMax) return
    if (count <= this.filled + this.spare) return
    const block = Buffer.allocUnsafeSlow(count)
    const filled = this.filled
    this.takeInto(block.subarray(0, filled))
    this.add(block, count - filled)
    this.filled = filled
  }

  /** Whether there is nothing but a block for just so many bytes, which lacks some of them. */
  isReserved(count: number): boolean {
    return this.spare > 0 && this.skipped === 0 && this.chunks[this.head]?.length === count
  }

  /** Takes so many bytes without a copy, where the first block has just these, and its memory nothing else; null: it has not. */
  takeWhole(count: number): Buffer | null {
    const block = this.chunks[this.head]
    if (block?.length !== count || count > this.filled || this.skipped > 0 || !isAlone(block)) return null
    const spare = this.head === this.chunks.length - 1 ? this.spare : 0
    if (spare > 0) return null
    this.drop(count)
    return block
  }

  /** As `views`, all at once: for who looks at them again for every byte that comes. */
  viewList(): Buffer[] {
    const { length } = this.chunks
    const list: Buffer[] = []
    for (let at = this.head; at < length; at++) list.push(this.view(at))
    return list
  }

  /**
   * Takes what is up to the first such byte, and that byte, as a view of the chunk that it lies in. Null, and nothing is
   * taken, where more than `most` bytes come before it, or it is not in the first chunk.
   */
  takeThrough(byte: number, most: number): Buffer | null {
    const chunk = this.chunks[this.head]
    if (chunk === undefined) return null
    const from = this.skipped
    const at = chunk.indexOf(byte, from)
    const end = chunk.length - (this.head === this.chunks.length - 1 ? this.spare : 0)
    if (at === -1 || at >= end || at - from > most) return null
    const taken = chunk.subarray(from, at + 1)
    this.viewed = at + 1
    this.drop(taken.length)
    return taken
  }

  /** As `takeThrough`, again and again, at most `count` times. */
  takeEachThrough(byte: number, most: number, count: number): Buffer[] {
    const taken: Buffer[] = []
    const chunk = this.chunks[this.head]
    if (chunk === undefined) return taken
    const end = chunk.length - (this.head === this.chunks.length - 1 ? this.spare : 0)
    let from = this.skipped
    while (taken.length < count) {
      const at = chunk.indexOf(byte, from)
      if (at === -1 || at >= end || at - from > most) break
      taken.push(chunk.subarray(from, at + 1))
      from = at + 1
    }
    this.viewed = from
    this.drop(from - this.skipped)
    return taken
  }

  /** Takes all bytes, in pieces that may be posted or transferred: none shares its memory with anything else. */
  takePieces(): readonly Buffer[] {
    const pieces = Array.from(this.views(), view => (isAlone(view) ? view : copyOf(view)))
    this.drop(this.filled)
    return pieces
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
