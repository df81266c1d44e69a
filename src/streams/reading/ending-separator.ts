/** Says by which of several separators a read was ended. */

/**
 * The index of the separator that `data` ends with. Of those that end there together the shortest counts, as it does
 * for `consumed`; of two equal ones the first.
 */
export function endingSeparator(data: Buffer, separators: readonly Uint8Array[]): number {
  let match = -1
  let shortest = Number.POSITIVE_INFINITY
  for (const [index, separator] of separators.entries()) {
    const { length } = separator
    if (length >= shortest || length > data.length) continue
    if (data.compare(separator, 0, length, data.length - length) !== 0) continue
    match = index
    shortest = length
  }
  return match
}
