/** What all targets are doing. What grows stands last, so that nothing else moves. */
import type { VNode } from 'preact'
import { TargetButtons } from '../actions/target-buttons.tsx'
import { addressOf } from '../frame/route.ts'
import { usePage } from '../page.ts'
import { Badge } from '../parts/badge.tsx'
import { bytesText, countText, durationText } from '../parts/format.ts'
import { StateBar } from '../parts/state-bar.tsx'
import { Tile } from '../parts/tile.tsx'
import { CONNECTION_STATES, type TargetFigures } from '../service/figures.ts'
import { HistoryCharts } from './history-charts.tsx'

export function TargetsView(): VNode {
  const { live } = usePage()
  const targets = live.targets.value
  return (
    <>
      <ServiceTiles />
      <HistoryCharts history={live.histories.all} about="All targets" />
      <TimesNote />
      <h2>
        By target <span class="number muted">{targets === null ? '' : countText(targets.length)}</span>
      </h2>
      {targets === null && <p class="panel empty">Waiting for the first figures …</p>}
      {targets?.length === 0 && (
        <p class="panel empty">
          There is no target that your token may use. Name one under <code>targets</code> in the
          configuration.
        </p>
      )}
      <ul class="cards">
        {targets?.map(target => (
          <li key={`${target.tenant ?? ''} ${target.name}`}>
            <TargetCard target={target} />
          </li>
        ))}
      </ul>
    </>
  )
}

function ServiceTiles(): VNode {
  const { live } = usePage()
  const service = live.service.value
  const used =
    service === null ? null : CONNECTION_STATES.reduce((sum, state) => sum + service.connections[state], 0)
  return (
    <dl class="tiles">
      <Tile name="Leases" value={countText(service?.leases)} />
      <Tile name="Waiters" value={countText(service?.waiters)} />
      <Tile
        name="Connections"
        value={countText(used)}
        more={`${countText(service?.connections.idle)} idle`}
      />
      <Tile
        name="Memory"
        value={bytesText(service?.memory.rss)}
        more={`${bytesText(service?.memory.ringBytes)} for rings`}
      />
    </dl>
  )
}

/** Times come from events: who may not follow them sees none, and where too many came some are missing. */
function TimesNote(): VNode {
  const { live } = usePage()
  live.round.value
  const { dropped } = live.histories
  return (
    <p class="muted note">
      {live.rights.value === 'own'
        ? 'Waits and holds are told by events, which an admin alone may follow.'
        : `Since this page was opened, ten minutes at the most.${dropped > 0 ? ` ${countText(dropped)} events came too fast for it, and are not counted.` : ''}`}
    </p>
  )
}

function TargetCard({ target }: { readonly target: TargetFigures }): VNode {
  const { name, tenant, state, breaker } = target
  return (
    <article class="panel card" aria-label={name}>
      <div class="card-head">
        <h3>
          <a href={addressOf({ view: 'target', name })}>{name}</a>
          {tenant !== null && <span class="muted"> described by {tenant}</span>}
        </h3>
        <Badge state={state} />
        {breaker !== 'off' && <Badge state={breaker} about="breaker" />}
      </div>
      <StateBar connections={target.connections} />
      <TargetFacts target={target} />
      <TargetButtons target={target} which="first" />
    </article>
  )
}

/** What else there is to say of a target, in figures. */
export function TargetFacts({ target }: { readonly target: TargetFigures }): VNode {
  const { waiters, expectedWaitMs, hosts, opened, closed, multiplex } = target
  const up = hosts.filter(({ state }) => state === 'up').length
  const ended = Object.values(closed).reduce((sum, count) => sum + count, 0)
  return (
    <dl class="facts">
      <Fact name="waiters" value={countText(waiters)} />
      <Fact name="expected wait" value={durationText(expectedWaitMs)} />
      <Fact name="hosts up" value={`${up} of ${hosts.length}`} />
      <Fact name="opened" value={countText(opened)} />
      <Fact name="closed" value={countText(ended)} />
      {multiplex !== null && (
        <>
          <Fact name="multiplexed" value={countText(multiplex.connections)} />
          <Fact name="in flight" value={countText(multiplex.inFlight)} />
          <Fact name="queued" value={countText(multiplex.queued)} />
          <Fact name="orphans" value={countText(multiplex.orphans)} />
          <Fact name="unsolicited" value={countText(multiplex.unsolicited)} />
        </>
      )}
    </dl>
  )
}

function Fact({ name, value }: { readonly name: string; readonly value: string }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd class="number">{value}</dd>
    </div>
  )
}
