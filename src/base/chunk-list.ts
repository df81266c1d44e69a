/** Bytes in the order of their arrival, as a list of chunks that are taken from the front without joining them. */
export class ChunkList {
  readonly #chunks: Buffer[] = []
  /** Bytes of the first chunk that are gone already. */
  #skipped = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Keeps the chunk itself: whoever may still write to it passes a copy. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** As `push`, but before all others. */
  unshift(chunk: Buffer): void {
    if (chunk.length === 0) return
    const first = this.first()
    if (first !== undefined) this.#chunks[0] = first
    this.#skipped = 0
    this.#chunks.unshift(chunk)
    this.#length += chunk.length
  }

  /** The first chunk, or what is left of it; undefined when there are no bytes. */
  first(): Buffer | undefined {
    const chunk = this.#chunks[0]
    return this.#skipped === 0 ? chunk : chunk?.subarray(this.#skipped)
  }

  /** The chunks in place, in order. */
  views(): Buffer[] {
    return this.#chunks.map((chunk, index) => (index === 0 ? chunk.subarray(this.#skipped) : chunk))
  }

  /** Copies the first `target.length` bytes, of which there must be as many, into `target` and drops them. */
  takeInto(target: Buffer): void {
    let filled = 0
    for (const view of this.views()) {
      filled += view.copy(target, filled)
      if (filled === target.length) break
    }
    this.drop(filled)
  }

  /** Takes all bytes, in pieces that may be posted or transferred: none shares its memory with anything else. */
  takePieces(): readonly Buffer[] {
    const pieces = this.views().map(view => (isAlone(view) ? view : copyOf(view)))
    this.drop(this.#length)
    return pieces
  }

  /** Drops the first `count` bytes. */
  drop(count: number): void {
    this.#length -= count
    let left = count + this.#skipped
    let gone = 0
    for (const chunk of this.#chunks) {
      if (left < chunk.length) break
      left -= chunk.length
      gone++
    }
    if (gone > 0) this.#chunks.splice(0, gone)
    this.#skipped = left
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
