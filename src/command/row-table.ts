/** Rows of the API as a table, a column for each field that is shown. */
import { environmentColumns } from '../config/environment.ts'
import { type ApiRow, fieldAt, textAt } from './row-field.ts'
import type { Streams } from './streams.ts'
import { paintFor, toneOf } from './terminal/paint.ts'
import { terminalSize } from './terminal/size.ts'
import { type TableCell, type TableColumn, tableLines } from './terminal/table.ts'

/** A column by the path of its field. `rank`: those with a higher one go first where the terminal is narrow. */
export type FieldColumn = { readonly path: string; readonly rank?: number }

export function field(path: string, rank?: number): FieldColumn {
  return rank === undefined ? { path } : { path, rank }
}

/** As `shownTable`. */
export function rowTable(
  columns: readonly FieldColumn[],
  rows: readonly ApiRow[],
  stdout: Streams['stdout'],
): string {
  const titled = columns.map(({ path, ...column }) => ({ ...column, title: path.split('.').at(-1) ?? '' }))
  const cells = rows.map(row => columns.map(({ path }) => cellOf(row, path)))
  return shownTable(titled, cells, stdout)
}

/** Lines with a break behind each; as wide as the terminal at the most, where the output is one. */
export function shownTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly TableCell[])[],
  stdout: Streams['stdout'],
): string {
  const width = terminalSize(stdout, environmentColumns())?.columns ?? null
  return `${tableLines(columns, rows, { width, paint: paintFor(stdout) }).join('\n')}\n`
}

/** States have a colour. */
function cellOf(row: ApiRow, path: string): TableCell {
  const text = textAt(row, path)
  if (path === 'state' || path === 'breaker') return { text, tone: toneOf(text) }
  const value = fieldAt(row, path)
  if (typeof value !== 'number') return { text }
  // What a clock or a share has behind the third digit is noise.
  return { text: String(Math.round(value * 1_000) / 1_000), isNumber: true }
}
