import type { ByteSource, StreamEnd } from './byte-source.ts'
import { ChunkList } from './chunk-list.ts'

/** A byte source in this thread's memory, fed by hand. It is the ground of `new StreamReader()`. */
export class MemorySource implements ByteSource {
  readonly #chunks = new ChunkList()
  #end: StreamEnd | null = null
  #wish: { readonly count: number; readonly wake: () => void } | null = null

  get available(): number {
    return this.#chunks.length
  }

  get end(): StreamEnd | null {
    return this.#end
  }

  /** Keeps a copy of the bytes. */
  feed(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes))
    if (this.#wish && this.available >= this.#wish.count) this.#fulfil()
  }

  finish(end: StreamEnd): void {
    this.#end = end
    this.#fulfil()
  }

  views(): readonly Uint8Array[] {
    return this.#chunks.views()
  }

  take(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    this.#chunks.takeInto(bytes)
    return bytes
  }

  skip(count: number): void {
    this.#chunks.drop(count)
  }

  request(count: number, wake: (() => void) | null): boolean {
    this.#wish = null
    if (wake === null || this.#end !== null || this.available >= count) return false
    this.#wish = { count, wake }
    return true
  }

  #fulfil(): void {
    const wish = this.#wish
    this.#wish = null
    wish?.wake()
  }
}
