/**
 * The pieces of one write. Beyond the first few, small ones are copied together: a piece of four bytes would cost some
 * hundred more for as long as it is held, and the collector's time for each.
 */
import { toBytes } from './writer-options.ts'

/** So many pieces are handed on as they are: whoever writes a header and a body loses nothing. */
const SEPARATE_MAX = 16
const BLOCK_BYTES = 65_536
/** Bytes of a piece that is not worth a place of its own. */
const SMALL_BYTES_MAX = 4_096
/** Bytes that UTF-8 needs for a unit of a string at the most. */
const UTF8_BYTES_MAX = 3

export class Gathered {
  readonly #pieces: Uint8Array[] = []
  #block: Buffer = Buffer.alloc(0)
  #used = 0
  #length = 0

  /** Takes pieces until they have more than `bytesMax` bytes, as an endless list may. Errors: TypeError. */
  constructor(list: Iterable<string | Uint8Array>, bytesMax: number) {
    for (const data of list) {
      this.#take(data)
      if (this.#length > bytesMax) break
    }
    this.#seal()
  }

  /** In order; none is empty. */
  get pieces(): readonly Uint8Array[] {
    return this.#pieces
  }

  get length(): number {
    return this.#length
  }

  #take(data: string | Uint8Array): void {
    if (data === '') return
    if (this.#pieces.length < SEPARATE_MAX) return this.#keep(toBytes(data))
    if (typeof data === 'string' && data.length * UTF8_BYTES_MAX <= SMALL_BYTES_MAX) {
      this.#reserve(data.length * UTF8_BYTES_MAX)
      return this.#filled(this.#block.write(data, this.#used))
    }
    const bytes = toBytes(data)
    if (bytes.length > SMALL_BYTES_MAX) {
      this.#seal()
      return this.#keep(bytes)
    }
    this.#reserve(bytes.length)
    this.#block.set(bytes, this.#used)
    this.#filled(bytes.length)
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#pieces.push(bytes)
    this.#length += bytes.length
  }

  #filled(count: number): void {
    this.#used += count
    this.#length += count
  }

  #reserve(count: number): void {
    if (this.#block.length - this.#used >= count) return
    this.#seal()
    this.#block = Buffer.allocUnsafe(BLOCK_BYTES)
    this.#used = 0
  }

  /** What lies in the block is a piece; what is free of it is for the next. */
  #seal(): void {
    if (this.#used === 0) return
    this.#pieces.push(this.#block.subarray(0, this.#used))
    this.#block = this.#block.subarray(this.#used)
    this.#used = 0
  }
}
