/** Rows under heads, in a region of their own that scrolls where they are too wide, also by keyboard. */
import type { ComponentChildren, VNode } from 'preact'
import { useState } from 'preact/hooks'
import { countText } from './format.ts'

export type Column<Row> = {
  readonly head: string
  readonly cell: (row: Row) => ComponentChildren
  /** Figures stand under each other by their last digit. */
  readonly kind?: 'text' | 'number' | 'action'
}

export type DataTableProps<Row> = {
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  /** Null while nobody knows them yet. */
  readonly rows: readonly Row[] | null
  readonly keyOf: (row: Row) => string
  /** What stands there in place of rows. */
  readonly empty: string
  /** What is found by typing; default: rows cannot be searched. */
  readonly textOf?: (row: Row) => string
}

/** Rows that are drawn at once: a page of ten thousand helps nobody, and typing finds the others. */
const ROWS_MAX = 200

export function DataTable<Row>(props: DataTableProps<Row>): VNode {
  const { caption, columns, rows, keyOf, empty, textOf } = props
  const [sought, setSought] = useState('')
  const found = (rows ?? []).filter(row => textOf === undefined || matches(textOf(row), sought))
  const shown = found.slice(0, ROWS_MAX)
  return (
    <section class="panel table-panel">
      <div class="table-head">
        <h2>{caption}</h2>
        <span class="number muted">
          {shown.length < found.length && `${countText(shown.length)} of `}
          {rows === null ? '–' : countText(found.length)}
        </span>
        {textOf !== undefined && <FindField caption={caption} value={sought} onInput={setSought} />}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reached by keyboard */}
      <section class="table-scroll" aria-label={caption} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {columns.map(({ head, kind = 'text' }) => (
                <th key={head} scope="col" class={kind}>
                  {kind === 'action' ? <span class="unseen">{head}</span> : head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(row => (
              <TableRow key={keyOf(row)} columns={columns} row={row} />
            ))}
            {shown.length === 0 && (
              <tr>
                <td class="empty" colSpan={columns.length}>
                  {emptyText(rows === null, sought, empty)}
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </section>
    </section>
  )
}

type FindFieldProps = {
  readonly caption: string
  readonly value: string
  readonly onInput: (value: string) => void
}

function FindField({ caption, value, onInput }: FindFieldProps): VNode {
  return (
    <input
      type="search"
      aria-label={`Find in ${caption.toLowerCase()}`}
      placeholder="Find"
      value={value}
      onInput={event => onInput(event.currentTarget.value)}
    />
  )
}

function TableRow<Row>({
  columns,
  row,
}: Pick<DataTableProps<Row>, 'columns'> & { readonly row: Row }): VNode {
  return (
    <tr>
      {columns.map(({ head, cell, kind = 'text' }) => (
        <td key={head} class={kind}>
          {cell(row)}
        </td>
      ))}
    </tr>
  )
}

function emptyText(isUnknown: boolean, sought: string, empty: string): string {
  if (isUnknown) return 'Waiting for the first figures …'
  return sought === '' ? empty : `Nothing here has “${sought}” in it.`
}

function matches(text: string, sought: string): boolean {
  return text.toLowerCase().includes(sought.trim().toLowerCase())
}
