/**
 * Inputs within all bounds of bytes, nesting and elements whose values take more memory than a parse worker has: half a
 * million empty objects are 1.5 MB as text and 28 MB as values.
 */

/** So many lines, each a list of nine hundred thousand empty objects, 2.7 MB. */
export function emptyObjects(lines: number): Buffer {
  const line = `[${'{},'.repeat(899_999)}{}]\n`
  return Buffer.from(line.repeat(lines))
}
