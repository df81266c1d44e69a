/**
 * The bytes that reads took last and the service still has: what is put back is the same as these, or it is something else,
 * which the service knows nothing of.
 */
const FIRST_BYTES = 512

export class RecentBytes {
  #memory: Uint8Array = new Uint8Array()
  #length = 0

  add(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#memory.length) {
      const grown = new Uint8Array(Math.max(FIRST_BYTES, 2 * length))
      grown.set(this.#memory.subarray(0, this.#length))
      this.#memory = grown
    }
    this.#memory.set(bytes, this.#length)
    this.#length = length
  }

  clear(): void {
    this.#memory = new Uint8Array()
    this.#length = 0
  }

  /** Takes the last of them back where they are these; false, and nothing is left, where they are not. */
  takeBack(bytes: Uint8Array): boolean {
    const start = this.#length - bytes.length
    const isSame = start >= 0 && bytes.every((byte, at) => byte === this.#memory[start + at])
    if (isSame) this.#length = start
    else this.clear()
    return isSame
  }
}
