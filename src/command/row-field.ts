/** Fields of the API's rows by their path, `connections.idle`: whatever answers there, none of them is taken on trust. */

export type ApiRow = Readonly<Record<string, unknown>>

/** Undefined where there is none. */
export function fieldAt(row: ApiRow, path: string): unknown {
  let value: unknown = row
  for (const key of path.split('.')) value = isRow(value) ? value[key] : undefined
  return value
}

/** 0 where it is no number. */
export function countAt(row: ApiRow, path: string): number {
  const value = fieldAt(row, path)
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

/** Null where it is no number. */
export function numberAt(row: ApiRow, path: string): number | null {
  const value = fieldAt(row, path)
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

/** `-` where it is absent. */
export function textAt(row: ApiRow, path: string): string {
  const value = fieldAt(row, path)
  if (value === null || value === undefined) return '-'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** The rows of an array; none where it is no array. */
export function rowsAt(row: ApiRow, path: string): readonly ApiRow[] {
  const value = fieldAt(row, path)
  return Array.isArray(value) ? value.filter(isRow) : []
}

export function isRow(value: unknown): value is ApiRow {
  return typeof value === 'object' && value !== null
}
