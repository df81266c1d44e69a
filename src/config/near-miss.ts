/** The known word nearest to a misspelt one, for the "did you mean" of an unknown key. */

/**
 * The candidate at the smallest edit distance (insert, delete, change, swap of neighbours; case is free), or null
 * when none is near: at most a third of the word's length away, and 1 to 3 edits.
 *
 */
export function nearMiss(word: string, candidates: readonly string[]): string | null {
  const bound = Math.min(3, Math.max(1, Math.floor(word.length / 3)))
  let best: string | null = null
  let distance = bound + 1
  for (const candidate of candidates) {
    const apart = editDistance(word.toLowerCase().slice(0, 64), candidate.toLowerCase())
    if (apart < distance) {
      distance = apart
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = at(rows, i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? at(rows, i - 2, j - 2) + 1
          : Infinity
      row.push(Math.min(at(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, changed, swapped))
    }
    rows.push(row)
  }
  return at(rows, a.length, b.length)
}

function at(rows: readonly (readonly number[])[], row: number, column: number): number {
  return rows[row]?.[column] ?? Infinity
}
