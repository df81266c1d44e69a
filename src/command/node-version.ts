/**
 * Whether a Node version lies in the ranges of `engines`. Runs before anything else, on whatever Node there is: it
 * imports nothing and keeps to syntax that Node 20 can parse.
 */

/**
 * True where `version` (`24.11.0`, with or without a `v`) fits one of the ranges, which are joined by `||` and each
 * either `^X.Y.Z` (the same major, at least this) or `>=X[.Y[.Z]]`. Prereleases count as their release.
 */
export function supportsNode(version: string, ranges: string): boolean {
  const own = parts(version)
  return ranges.split('||').some(range => {
    const wanted = parts(range)
    return atLeast(own, wanted) && (!range.trim().startsWith('^') || own[0] === wanted[0])
  })
}

function parts(text: string): readonly number[] {
  const [, major, minor, patch] = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text) ?? []
  return [major, minor, patch].map(part => Number(part ?? 0))
}

function atLeast(own: readonly number[], wanted: readonly number[]): boolean {
  for (const [index, part] of own.entries()) {
    const other = wanted[index] ?? 0
    if (part !== other) return part > other
  }
  return true
}
