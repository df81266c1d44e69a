/** Bytes written one after another into memory that grows, and ends as memory of their own that may be transferred. */

import { giveBackMemory, largeMemory } from '../../base/large-memory.ts'
import { LIMITS } from '../../base/limits.ts'

/** Where a format writes its text to. */
export interface TextOutput {
  /** Appends a copy of the bytes. */
  bytes(bytes: Uint8Array): void
  text(text: string): void
}

export class TextSink implements TextOutput {
  #buffer: Buffer
  #length = 0

  /** `expected`: bytes that are likely to come. */
  constructor(expected: number) {
    this.#buffer = memoryOf(Math.max(64, expected))
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  text(text: string): void {
    if (text === '') return
    // A code unit is three bytes at the most.
    this.#reserve(text.length * 3)
    this.#length += this.#buffer.write(text, this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** Takes back what was written after the first `length` bytes. */
  rewind(length: number): void {
    this.#length = Math.min(this.#length, length)
  }

  /** All that was written; once. */
  finish(): Uint8Array {
    const memory = this.#buffer.buffer as ArrayBuffer
    if (!memory.resizable) return new Uint8Array(memory.transfer(this.#length))
    memory.resize(this.#length)
    return new Uint8Array(memory, 0, this.#length)
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    const grown = memoryOf(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    giveBackMemory(this.#buffer)
    this.#buffer = grown
  }
}

/** A large text lies in memory that the system gets back with the text; the allocator of small pieces would keep it. */
function memoryOf(bytes: number): Buffer {
  if (bytes < LIMITS.heldBytesMin) return Buffer.allocUnsafeSlow(bytes)
  return Buffer.from(largeMemory(bytes))
}
