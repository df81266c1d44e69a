/** Who holds what, for how long, and what was done with it last. */
import type { VNode } from 'preact'
import { askKill } from '../actions/verbs.ts'
import { addressOf } from '../frame/route.ts'
import { usePage } from '../page.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ageText, bytesText } from '../parts/format.ts'
import type { ConnectionFigures } from '../service/figures.ts'

export function LeasesView(): VNode {
  const page = usePage()
  const { live } = page
  const held = live.connections.value?.filter(
    ({ state, leaseAgeMs }) => state === 'leased' && leaseAgeMs !== null,
  )
  const own = new Map(live.leases.value?.map(({ id, connection }) => [connection.id, id]))
  const isAdmin = live.rights.value === 'admin'
  const kill: Column<ConnectionFigures> = {
    head: 'Kill',
    kind: 'action',
    cell: ({ id, target }) =>
      (isAdmin || own.has(id)) && (
        <button
          type="button"
          class="danger-quiet small"
          aria-label={`Kill the lease on ${id}`}
          onClick={() => askKill(page, id, target, isAdmin ? null : (own.get(id) ?? null))}
        >
          Kill
        </button>
      ),
  }
  return (
    <DataTable
      caption="All leases"
      rows={held?.toSorted((a, b) => (b.leaseAgeMs ?? 0) - (a.leaseAgeMs ?? 0)) ?? null}
      keyOf={({ id }) => id}
      empty="Nobody holds a lease right now."
      textOf={({ id, target, tenant, lastOperation }) =>
        `${id} ${target} ${tenant ?? ''} ${lastOperation ?? ''}`
      }
      columns={[...COLUMNS, kill]}
    />
  )
}

const COLUMNS: readonly Column<ConnectionFigures>[] = [
  { head: 'Holder', cell: ({ tenant }) => tenant ?? '–' },
  {
    head: 'Target',
    cell: ({ target }) => <a href={addressOf({ view: 'target', name: target })}>{target}</a>,
  },
  { head: 'Held', kind: 'number', cell: ({ leaseAgeMs }) => ageText(leaseAgeMs) },
  { head: 'Idle', kind: 'number', cell: ({ leaseIdleMs }) => ageText(leaseIdleMs) },
  { head: 'Last operation', cell: ({ lastOperation }) => <code>{lastOperation ?? '–'}</code> },
  { head: 'Read', kind: 'number', cell: ({ leaseBytesIn }) => bytesText(leaseBytesIn) },
  { head: 'Written', kind: 'number', cell: ({ leaseBytesOut }) => bytesText(leaseBytesOut) },
  {
    head: 'Connection',
    cell: ({ id }) => <a href={addressOf({ view: 'connection', id })}>{id}</a>,
  },
]
