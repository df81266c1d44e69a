/** One connection, and its flight recorder: what was done with it last. */
import type { VNode } from 'preact'
import { askKill } from '../actions/verbs.ts'
import { addressOf } from '../frame/route.ts'
import { usePage } from '../page.ts'
import { Badge } from '../parts/badge.tsx'
import { DataTable } from '../parts/data-table.tsx'
import { ageText, bytesText, clockText, countText, durationText } from '../parts/format.ts'
import { ProblemReport } from '../parts/problem-report.tsx'
import type { ConnectionStory, OperationFigures } from '../service/figures.ts'
import type { ServiceProblem } from '../service/service-problem.ts'

export function ConnectionView({ id }: { readonly id: string }): VNode {
  const { live } = usePage()
  const told = live.story.value
  const story = told.kind === 'none' ? null : told.story
  return (
    <>
      {told.kind === 'failed' && <Untold problem={told.problem} />}
      <section class="panel card" aria-label="Connection">
        {story === null ? (
          <p class="empty">
            {told.kind === 'none' ? 'Waiting for the first figures …' : 'Nothing is known of it.'}
          </p>
        ) : (
          <ConnectionFacts story={story} isThere={told.kind === 'there'} />
        )}
      </section>
      <FlightRecorder id={id} operations={story?.operations ?? (told.kind === 'failed' ? [] : null)} />
    </>
  )
}

/** It is gone, or not for this token to see. */
function Untold({ problem }: { readonly problem: ServiceProblem }): VNode {
  return (
    <div class="panel warning-panel" role="status">
      <p>
        {problem.status === 404
          ? 'This connection is gone. What stands here is what was known of it last.'
          : 'An admin alone may look into a connection.'}
      </p>
      <ProblemReport problem={problem} />
    </div>
  )
}

function ConnectionFacts({
  story,
  isThere,
}: {
  readonly story: ConnectionStory
  readonly isThere: boolean
}): VNode {
  const page = usePage()
  const { id, target, state, tenant, worker, remoteAddress, remotePort, tls, ageMs, uses, leaseAgeMs } = story
  const facts: readonly (readonly [string, string])[] = [
    ['tenant', tenant ?? '–'],
    ['peer', `${remoteAddress}:${remotePort}${tls ? ' TLS' : ''}`],
    ['I/O worker', countText(worker)],
    ['age', ageText(ageMs)],
    ['uses', countText(uses)],
    ['lease held', ageText(leaseAgeMs)],
    ['last operation', story.lastOperation ?? '–'],
    ['read', bytesText(story.leaseBytesIn)],
    ['written', bytesText(story.leaseBytesOut)],
  ]
  return (
    <>
      <div class="card-head">
        <Badge state={isThere ? state : 'gone'} />
        <a href={addressOf({ view: 'target', name: target })}>{target}</a>
      </div>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="number">{value}</dd>
          </div>
        ))}
      </dl>
      {page.live.rights.value === 'admin' && (
        <div class="buttons">
          <button
            type="button"
            class="danger-quiet"
            aria-disabled={!isThere}
            onClick={() => isThere && askKill(page, id, target, null)}
          >
            Kill connection
          </button>
        </div>
      )}
    </>
  )
}

type FlightRecorderProps = { readonly id: string; readonly operations: readonly OperationFigures[] | null }

function FlightRecorder({ id, operations }: FlightRecorderProps): VNode {
  return (
    <DataTable
      caption="Flight recorder"
      // The newest first, as that is what somebody looks for.
      rows={
        operations
          ?.map((operation, at) => ({ ...operation, key: `${id} ${at} ${operation.at}` }))
          .reverse() ?? null
      }
      keyOf={({ key }) => key}
      empty="No operation is known."
      columns={[
        { head: 'At', cell: ({ at }) => <time dateTime={at}>{clockText(at)}</time> },
        { head: 'Operation', cell: ({ name }) => <code>{name}</code> },
        { head: 'Took', kind: 'number', cell: ({ ms }) => durationText(ms) },
        { head: 'Read', kind: 'number', cell: ({ bytesIn }) => bytesText(bytesIn) },
        { head: 'Written', kind: 'number', cell: ({ bytesOut }) => bytesText(bytesOut) },
        { head: 'Outcome', cell: ({ outcome }) => <Badge state={outcome} /> },
      ]}
    />
  )
}
