/**
 * The bytes of a body, gathered. A small one is joined out of its chunks. A large one is copied chunk by chunk to where it
 * stays, so that no turn of the event loop copies all of it; and it lies in memory that the system gets back as soon as it
 * is garbage, which the allocator of small pieces would keep.
 */
import { ChunkList } from '../../base/chunk-list.ts'
import { largeMemory } from '../../base/large-memory.ts'
import { LIMITS } from '../../base/limits.ts'

/** Bytes by which a large body's memory grows. */
const STEP_BYTES = 1_048_576

export class GatheredBody {
  readonly #bytesMax: number
  readonly #chunks = new ChunkList()
  #large: ArrayBuffer | null = null
  #length = 0

  /** `bytesMax`: its length at the most. A large one takes so much address space, and memory as it comes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get length(): number {
    return this.#length
  }

  /** Its length and the chunk's together must not pass the bound. */
  add(chunk: Buffer): void {
    const length = this.#length + chunk.length
    if (this.#large === null && length <= LIMITS.heldBytesMin) this.#chunks.push(chunk)
    else new Uint8Array(this.#memory(length)).set(chunk, this.#length)
    this.#length = length
  }

  /** All of them; a large one has its memory to itself. */
  takeAll(): Buffer {
    if (this.#large === null) return this.#chunks.takeAll()
    this.#large.resize(this.#length)
    return Buffer.from(this.#large, 0, this.#length)
  }

  /** Forgets them: a body that is refused is needed no more. */
  drop(): void {
    this.#chunks.takeAll()
    this.#large?.resize(0)
    this.#length = 0
  }

  /** The memory of a large body, with room for so many bytes. */
  #memory(length: number): ArrayBuffer {
    const size = Math.min(this.#bytesMax, Math.ceil(length / STEP_BYTES) * STEP_BYTES)
    if (this.#large === null) {
      this.#large = largeMemory(size, this.#bytesMax)
      new Uint8Array(this.#large).set(this.#chunks.takeAll())
    } else if (length > this.#large.byteLength) this.#large.resize(size)
    return this.#large
  }
}
