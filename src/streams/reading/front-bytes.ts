/** Looks at the front of a source's views without taking anything. */

/** A copy of the first `count` bytes, or of all if there are fewer. */
export function frontBytes(views: readonly Uint8Array[], count: number): Buffer {
  const present = views.reduce((sum, view) => sum + view.length, 0)
  const bytes = Buffer.allocUnsafe(Math.min(count, present))
  let filled = 0
  for (const view of views) {
    if (filled === bytes.length) break
    const part = view.subarray(0, bytes.length - filled)
    bytes.set(part, filled)
    filled += part.length
  }
  return bytes
}
