/** Looks at the front of a source's views without taking anything. */

/** A copy of the first `count` bytes, or of all if there are fewer. */
export function frontBytes(views: Iterable<Uint8Array>, count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count)
  let filled = 0
  for (const view of views) {
    if (filled === count) break
    const part = view.subarray(0, count - filled)
    bytes.set(part, filled)
    filled += part.length
  }
  return filled === count ? bytes : bytes.subarray(0, filled)
}
