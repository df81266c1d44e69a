/** Looks at the front of a source's views without taking anything. */

/** A copy of the first `count` bytes after `skip` of them, or of all if there are fewer. */
export function frontBytes(views: Iterable<Uint8Array>, count: number, skip = 0): Buffer {
  const bytes = Buffer.allocUnsafe(count)
  let filled = 0
  let left = skip
  for (const view of views) {
    if (filled === count) break
    const part = view.subarray(left, left + count - filled)
    left -= Math.min(left, view.length)
    bytes.set(part, filled)
    filled += part.length
  }
  return filled === count ? bytes : bytes.subarray(0, filled)
}
