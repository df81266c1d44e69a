/** The other instances, and who of them holds how much of the caps that they share. */
import type { VNode } from 'preact'
import { addressOf } from '../frame/route.ts'
import { usePage } from '../page.ts'
import { Badge } from '../parts/badge.tsx'
import { CapBar } from '../parts/cap-bar.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { clockText, countText, dayText, shareText } from '../parts/format.ts'
import { ProblemReport } from '../parts/problem-report.tsx'
import { Tile } from '../parts/tile.tsx'
import type { CapFigures, FleetMemberFigures, FleetStory } from '../service/figures.ts'

export function FleetView(): VNode {
  const { live } = usePage()
  const look = live.fleet.value
  switch (look.kind) {
    case 'unknown':
      return (
        <p class="panel empty">
          {live.rights.value === 'own'
            ? 'An admin alone may look at the fleet.'
            : 'Waiting for the first figures …'}
        </p>
      )
    case 'alone':
      return (
        <p class="panel empty">
          This service stands alone: its configuration has no <code>fleet</code>.
        </p>
      )
    case 'there':
      return <Fleet fleet={look.fleet} />
    case 'failed':
      return (
        <>
          <div class="panel warning-panel" role="status">
            <p>The service does not tell of its fleet. What stands here is what was known last.</p>
            <ProblemReport problem={look.problem} />
          </div>
          {look.fleet !== null && <Fleet fleet={look.fleet} />}
        </>
      )
    default:
      return look satisfies never
  }
}

function Fleet({ fleet }: { readonly fleet: FleetStory }): VNode {
  const caps = Object.entries(fleet.caps)
  return (
    <>
      {fleet.state === 'degraded' && <Degraded />}
      <FleetTiles fleet={fleet} />
      <h2>
        Caps <span class="number muted">{countText(caps.length)}</span>
      </h2>
      {caps.length === 0 && (
        <p class="panel empty">
          No target has a cap. Name one under <code>fleet.caps</code> in the configuration.
        </p>
      )}
      <ul class="cards">
        {caps.map(([target, figures]) => (
          <li key={target}>
            <CapCard target={target} figures={figures} />
          </li>
        ))}
      </ul>
      <InstanceTable fleet={fleet} />
    </>
  )
}

function Degraded(): VNode {
  return (
    <div class="panel warning-panel" role="status">
      <p>
        <Badge state="degraded" about="fleet" />
      </p>
      <p>
        The engine does not answer. What stands here is what it said last; this instance has what{' '}
        <code>onEngineLoss</code> leaves it of each cap. Calls about leases of other instances still go there.
      </p>
    </div>
  )
}

function FleetTiles({ fleet: { name, state, instances, caps } }: { readonly fleet: FleetStory }): VNode {
  const sum = (of: (row: FleetMemberFigures) => number): string =>
    countText(instances.reduce((all, row) => all + of(row), 0))
  const exhausted = Object.values(caps).filter(({ held, cap }) => held >= cap).length
  return (
    <dl class="tiles">
      <Tile name="Instances" value={countText(instances.length)} more={`this is ${name}, ${state}`} />
      <Tile name="Leases" value={sum(({ leases }) => leases)} more="of all instances" />
      <Tile name="Connections" value={sum(({ connections }) => connections)} more="of all instances" />
      <Tile
        name="Caps used up"
        value={countText(exhausted)}
        more={`of ${countText(Object.keys(caps).length)}`}
      />
    </dl>
  )
}

function CapCard({ target, figures }: { readonly target: string; readonly figures: CapFigures }): VNode {
  const { cap, held } = figures
  return (
    <article class="panel card" aria-label={`Cap of ${target}`}>
      <div class="card-head">
        <h3>
          <a href={addressOf({ view: 'target', name: target })}>{target}</a>
        </h3>
        {held >= cap && <Badge state="used_up" />}
        <span class="number muted">
          {countText(held)} of {countText(cap)} held, {shareText(held / cap)}
        </span>
      </div>
      <CapBar figures={figures} />
    </article>
  )
}

function InstanceTable({ fleet: { name: own, instances } }: { readonly fleet: FleetStory }): VNode {
  return (
    <DataTable
      caption="Instances"
      rows={instances}
      keyOf={({ name }) => name}
      empty="The engine knows none yet."
      textOf={({ name, url, version }) => `${name} ${url} ${version}`}
      columns={[nameColumn(own), ...COLUMNS]}
    />
  )
}

function nameColumn(own: string | null): Column<FleetMemberFigures> {
  return {
    head: 'Name',
    cell: ({ name }) => (
      <>
        <code>{name}</code>
        {name === own && <span class="muted"> (this one)</span>}
      </>
    ),
  }
}

const COLUMNS: readonly Column<FleetMemberFigures>[] = [
  { head: 'Leases', kind: 'number', cell: ({ leases }) => countText(leases) },
  { head: 'Connections', kind: 'number', cell: ({ connections }) => countText(connections) },
  { head: 'Seen', cell: ({ seenAt }) => <time dateTime={seenAt}>{clockText(seenAt)}</time> },
  { head: 'Started', cell: ({ startedAt }) => <time dateTime={startedAt}>{dayText(startedAt)}</time> },
  { head: 'Version', cell: ({ version }) => version },
  { head: 'Reached at', cell: ({ url }) => <code>{url}</code> },
]
