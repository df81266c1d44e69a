/** One target: its pool, its hosts, why its connections closed, and the connections that it has. */
import type { VNode } from 'preact'
import { TargetButtons } from '../actions/target-buttons.tsx'
import { addressOf } from '../frame/route.ts'
import { usePage } from '../page.ts'
import { Badge } from '../parts/badge.tsx'
import { DataTable } from '../parts/data-table.tsx'
import { countText, words } from '../parts/format.ts'
import { StateBar } from '../parts/state-bar.tsx'
import type { HostFigures, TargetFigures } from '../service/figures.ts'
import { ConnectionTable } from './connection-table.tsx'
import { HistoryCharts } from './history-charts.tsx'
import { TargetFacts } from './targets-view.tsx'

export function TargetView({ name }: { readonly name: string }): VNode {
  const { live } = usePage()
  const targets = live.targets.value
  const target = targets?.find(row => row.name === name) ?? null
  if (target === null)
    return (
      <p class="panel empty">
        {targets === null
          ? 'Waiting for the first figures …'
          : `There is no target ${name} that your token may use. `}
        <a href={addressOf({ view: 'targets' })}>All targets</a>
      </p>
    )
  return (
    <>
      <TargetPanel target={target} />
      <HistoryCharts history={live.histories.of(name)} about={name} />
      <div class="halves">
        <HostTable hosts={target.hosts} />
        <ClosedTable closed={target.closed} />
      </div>
      <ConnectionTable
        caption="Connections"
        rows={live.connections.value?.filter(row => row.target === name) ?? null}
        empty="It has none right now. They are opened when somebody asks, or to keep the least."
      />
    </>
  )
}

function TargetPanel({ target }: { readonly target: TargetFigures }): VNode {
  const { name, state, breaker, reuse } = target
  return (
    <section class="panel card" aria-label="Pool">
      <div class="card-head">
        <Badge state={state} />
        <Badge state={breaker} about="breaker" />
        <Badge state={reuse === 'never' ? 'never reused' : 'reused when clean'} />
        <a class="apart" href={addressOf({ view: 'exchange', target: name })}>
          Try an exchange
        </a>
      </div>
      <StateBar connections={target.connections} />
      <TargetFacts target={target} />
      <TargetButtons target={target} which="all" />
    </section>
  )
}

function HostTable({ hosts }: { readonly hosts: readonly HostFigures[] }): VNode {
  return (
    <DataTable
      caption="Hosts"
      rows={hosts}
      keyOf={({ host, port }) => `${host} ${port}`}
      empty="It has none."
      columns={[
        { head: 'Host', cell: ({ host, port }) => <code>{`${host}:${port}`}</code> },
        { head: 'State', cell: ({ state }) => <Badge state={state} /> },
        { head: 'Connections', kind: 'number', cell: ({ connections }) => countText(connections) },
      ]}
    />
  )
}

function ClosedTable({ closed }: { readonly closed: Readonly<Record<string, number>> }): VNode {
  const rows = Object.entries(closed).toSorted(([, a], [, b]) => b - a)
  return (
    <DataTable
      caption="Closed so far, by reason"
      rows={rows}
      keyOf={([reason]) => reason}
      empty="None was closed yet."
      columns={[
        { head: 'Reason', cell: ([reason]) => words(reason) },
        { head: 'Connections', kind: 'number', cell: ([, count]) => countText(count) },
      ]}
    />
  )
}
