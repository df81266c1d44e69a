/**
 * Memory of large texts and bodies. It comes from the system in pages of its own, and goes back to it in the moment in which
 * whoever has it says so; the allocator of small pieces would keep it, and a thread that has nothing to do collects no
 * garbage. Whatever still looks at memory that was given back sees no bytes.
 */

/** So many bytes, which may grow up to `max` by `resize`. */
export function largeMemory(bytes: number, max: number = bytes): ArrayBuffer {
  return new ArrayBuffer(bytes, { maxByteLength: max })
}

/** Gives the memory beneath the bytes back, where it is large memory. Nobody may need them any more. */
export function giveBackMemory({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.resizable) buffer.resize(0)
}

/**
 * The bytes in memory of fixed length, which code that looks at each of them goes through eight times as fast: what engines do
 * for an element of memory that may grow is slow, and makes the same code slow for other memory too. Large memory beneath them is
 * given back.
 */
export function fixedMemory(bytes: Uint8Array): Buffer {
  const { buffer, byteOffset, length } = bytes
  if (!(buffer instanceof ArrayBuffer) || !buffer.resizable) return Buffer.from(buffer, byteOffset, length)
  const fixed = Buffer.allocUnsafeSlow(length)
  fixed.set(bytes)
  giveBackMemory(bytes)
  return fixed
}

/** Frees the memory at once. Nobody may need it any more, and whoever still looks at it sees no bytes. */
export function freeMemory(memory: ArrayBuffer): void {
  memory.transfer(0)
}

/** As `freeMemory`, for bytes that have their memory for themselves; others stay as they are. */
export function freeAlone({ buffer, length }: Uint8Array): void {
  const isAlone = buffer instanceof ArrayBuffer && !buffer.detached && buffer.byteLength === length
  if (isAlone) freeMemory(buffer)
}
