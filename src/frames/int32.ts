/** A number of four bytes, signed and big-endian, that comes byte by byte. */
export class Int32 {
  #value = 0
  #left = 4

  begin(): void {
    this.#value = 0
    this.#left = 4
  }

  /** Whether the number is whole with this byte. */
  add(byte: number): boolean {
    this.#value = (this.#value << 8) | byte
    this.#left -= 1
    return this.#left === 0
  }

  get value(): number {
    return this.#value
  }
}
