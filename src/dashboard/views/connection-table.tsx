/** Connections, a row each, with the way to their flight recorder. */
import type { VNode } from 'preact'
import { askKill } from '../actions/verbs.ts'
import { addressOf } from '../frame/route.ts'
import { type Page, usePage } from '../page.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ageText, countText } from '../parts/format.ts'
import type { ConnectionFigures } from '../service/figures.ts'

export type ConnectionTableProps = {
  readonly caption: string
  readonly rows: readonly ConnectionFigures[] | null
  readonly empty: string
}

export function ConnectionTable({ caption, rows, empty }: ConnectionTableProps): VNode {
  const page = usePage()
  const isAdmin = page.live.rights.value === 'admin'
  return (
    <DataTable
      caption={caption}
      rows={rows}
      keyOf={({ id }) => id}
      empty={empty}
      textOf={({ id, target, tenant, state, remoteAddress, remotePort }) =>
        `${id} ${target} ${tenant ?? ''} ${state} ${remoteAddress}:${remotePort}`
      }
      columns={isAdmin ? [...COLUMNS, killColumn(page)] : COLUMNS}
    />
  )
}

const COLUMNS: readonly Column<ConnectionFigures>[] = [
  {
    head: 'Connection',
    cell: ({ id }) => <a href={addressOf({ view: 'connection', id })}>{id}</a>,
  },
  {
    head: 'Target',
    cell: ({ target }) => <a href={addressOf({ view: 'target', name: target })}>{target}</a>,
  },
  {
    head: 'State',
    cell: ({ state }) => (
      <span class="state-word">
        <span class={`mark state-${state}`} aria-hidden="true" />
        {state}
      </span>
    ),
  },
  { head: 'Tenant', cell: ({ tenant }) => tenant ?? '–' },
  {
    head: 'Peer',
    cell: ({ remoteAddress, remotePort, tls }) => (
      <code>{`${remoteAddress}:${remotePort}${tls ? ' TLS' : ''}`}</code>
    ),
  },
  { head: 'I/O worker', kind: 'number', cell: ({ worker }) => countText(worker) },
  { head: 'Age', kind: 'number', cell: ({ ageMs }) => ageText(ageMs) },
  { head: 'Uses', kind: 'number', cell: ({ uses }) => countText(uses) },
]

function killColumn(page: Page): Column<ConnectionFigures> {
  return {
    head: 'Kill',
    kind: 'action',
    cell: ({ id, target }) => (
      <button
        type="button"
        class="danger-quiet small"
        aria-label={`Kill connection ${id}`}
        onClick={() => askKill(page, id, target, null)}
      >
        Kill
      </button>
    ),
  }
}
