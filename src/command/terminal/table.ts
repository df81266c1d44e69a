/**
 * A table of text: columns as wide as their widest cell, two blanks apart. Where it is wider than the terminal, columns
 * of text are cut, the least important first; numbers never are, as a part of one reads as another: their columns go.
 */
import type { Paint, Tone } from './paint.ts'
import { plainText } from './plain-text.ts'
import { cutText, textWidth } from './text-width.ts'

export type TableColumn = {
  readonly title: string
  /** Columns with a higher one are cut first; default: their place from the left, counted from 0. */
  readonly rank?: number
}

export type TableCell = {
  readonly text: string
  /** How it is painted; default: not at all. */
  readonly tone?: Tone | null
  /** A column of numbers stands to the right. */
  readonly isNumber?: boolean
}

export type TableForm = {
  /** Columns of the terminal; null: as many as it takes. */
  readonly width: number | null
  readonly paint: Paint
}

/** What a column of text is cut to at the least; the most important one names the row, and must tell it from others. */
const CUT_MIN = 6
const NAME_MIN = 20
const GAP = '  '

/** Stands for a value that is not there. */
export const NO_VALUE: TableCell = { text: '-' }

type Laid = {
  readonly index: number
  readonly title: string
  readonly rank: number
  readonly isNumber: boolean
  /** Columns that the whole of it takes, and those without which it is not shown. */
  readonly whole: number
  readonly least: number
}

/** Lines without their breaks; the first has the titles. Cells are of others: what controls a terminal is escaped. */
export function tableLines(
  columns: readonly TableColumn[],
  rows: readonly (readonly TableCell[])[],
  { width, paint }: TableForm,
): string[] {
  const cells = rows.map(row => row.map(cell => ({ ...cell, text: plainText(cell.text) })))
  const laid = columns.map((column, index) => layOut(column, index, cells))
  const widths = widthsOf(laid, width)
  const shown = laid.filter(column => widths.has(column))
  const lineOf = (row: readonly TableCell[]): string => {
    const parts = shown.map(column => {
      const { text = '', tone = null } = row[column.index] ?? {}
      const columnsOf = widths.get(column) ?? 0
      const cut = cutText(text, columnsOf)
      const blanks = ' '.repeat(columnsOf - textWidth(cut))
      // Blanks are not painted: at the end of a line they are left out.
      return column.isNumber ? `${blanks}${paint(cut, tone)}` : `${paint(cut, tone)}${blanks}`
    })
    return parts.join(GAP).trimEnd()
  }
  return [lineOf(columns.map(({ title }) => ({ text: title, tone: 'strong' }))), ...cells.map(lineOf)]
}

function layOut(column: TableColumn, index: number, rows: readonly (readonly TableCell[])[]): Laid {
  const { title, rank = index } = column
  const cells = rows.map(row => row[index] ?? NO_VALUE)
  const isNumber =
    cells.some(cell => cell.isNumber === true) &&
    cells.every(cell => cell.isNumber === true || cell.text === NO_VALUE.text)
  const whole = cells.reduce((most, { text }) => Math.max(most, textWidth(text)), textWidth(title))
  const cutMin = rank === 0 ? NAME_MIN : CUT_MIN
  const least = isNumber ? whole : Math.min(whole, cutMin)
  return { index, title, rank, isNumber, whole, least }
}

/** The columns that are shown, and how wide: as many as fit at their least, and then the room that is left. */
function widthsOf(laid: readonly Laid[], width: number | null): ReadonlyMap<Laid, number> {
  if (width === null) return new Map(laid.map(column => [column, column.whole]))
  const order = laid.toSorted((one, other) => one.rank - other.rank)
  const widths = new Map<Laid, number>()
  let room = width + GAP.length
  for (const column of order) {
    const taken = column.least + GAP.length
    // The first is shown however little room there is; behind one that does not fit none is, or the rank would not hold.
    if (taken > room && widths.size > 0) break
    widths.set(column, Math.min(column.least, width))
    room -= taken
  }
  for (const [column, least] of widths) {
    const more = Math.min(Math.max(0, room), column.whole - least)
    widths.set(column, least + more)
    room -= more
  }
  return widths
}
