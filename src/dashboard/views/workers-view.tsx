/** The threads: those that own connections, those that serve HTTP, and those that parse. */
import type { VNode } from 'preact'
import { askDrainWorker } from '../actions/verbs.ts'
import { type Page, usePage } from '../page.ts'
import { Badge } from '../parts/badge.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { bytesText, countText, durationText } from '../parts/format.ts'
import { Meter } from '../parts/meter.tsx'
import { Tile } from '../parts/tile.tsx'
import type { LongParseFigures, WorkerFigures } from '../service/figures.ts'

export function WorkersView(): VNode {
  const page = usePage()
  const { live } = page
  const of = (kind: WorkerFigures['kind']): readonly WorkerFigures[] | null =>
    live.workers.value?.filter(row => row.kind === kind) ?? null
  const isAdmin = live.rights.value === 'admin'
  return (
    <>
      <ParseTiles />
      <DataTable
        caption="I/O workers"
        rows={of('io')}
        keyOf={keyOf}
        empty="There is none, which cannot be for long."
        columns={isAdmin ? [...IO_COLUMNS, drainColumn(page)] : IO_COLUMNS}
      />
      <DataTable
        caption="HTTP threads"
        rows={of('http')}
        keyOf={keyOf}
        empty="The main thread serves HTTP alone."
        columns={HTTP_COLUMNS}
      />
      <DataTable
        caption="Parse workers"
        rows={of('parse')}
        keyOf={keyOf}
        empty="None runs: one starts when there is work for it, and ends half a minute after its last."
        columns={PARSE_COLUMNS}
      />
      <DataTable
        caption="Parses that take long"
        rows={live.service.value?.parse.long ?? null}
        keyOf={({ format, bytes, ms }) => `${format} ${bytes} ${ms}`}
        empty="None takes longer than a second."
        columns={LONG_COLUMNS}
      />
    </>
  )
}

function ParseTiles(): VNode {
  const parse = usePage().live.service.value?.parse
  return (
    <dl class="tiles">
      <Tile name="Parse workers" value={countText(parse?.workers)} more="of each kind at most" />
      <Tile name="Busy parsing" value={countText(parse?.busy)} />
      <Tile name="Parses queued" value={countText(parse?.queued)} />
      <Tile name="Parsed in place" value={countText(parse?.inPlace)} more="small inputs so far" />
    </dl>
  )
}

/** While one is replaced, two have its id. */
function keyOf({ kind, id, threadId, state }: WorkerFigures): string {
  return `${kind} ${id} ${threadId ?? state ?? ''}`
}

const STATE: Column<WorkerFigures> = {
  head: 'State',
  cell: ({ state }) => (state === undefined ? '–' : <Badge state={state} />),
}
const UTILIZATION: Column<WorkerFigures> = {
  head: 'Utilization',
  cell: ({ utilization }) => <Meter share={utilization} />,
}
const CONNECTIONS: Column<WorkerFigures> = {
  head: 'Connections',
  kind: 'number',
  cell: ({ connections }) => countText(connections),
}
const ID: Column<WorkerFigures> = { head: 'Worker', cell: ({ id }) => <code>{id}</code> }

const IO_COLUMNS: readonly Column<WorkerFigures>[] = [
  ID,
  STATE,
  UTILIZATION,
  CONNECTIONS,
  { head: 'Dialled', kind: 'number', cell: ({ dialled }) => countText(dialled) },
  { head: 'Read', kind: 'number', cell: ({ bytesIn }) => bytesText(bytesIn) },
  { head: 'Written', kind: 'number', cell: ({ bytesOut }) => bytesText(bytesOut) },
  { head: 'Missed wakes', kind: 'number', cell: ({ missedWakes }) => countText(missedWakes) },
]

const HTTP_COLUMNS: readonly Column<WorkerFigures>[] = [
  ID,
  UTILIZATION,
  CONNECTIONS,
  { head: 'Requests', kind: 'number', cell: ({ requests }) => countText(requests) },
]

const PARSE_COLUMNS: readonly Column<WorkerFigures>[] = [
  ID,
  STATE,
  UTILIZATION,
  { head: 'Work', cell: ({ work }) => work ?? '–' },
  { head: 'Tasks', kind: 'number', cell: ({ tasks }) => countText(tasks) },
]

const LONG_COLUMNS: readonly Column<LongParseFigures>[] = [
  { head: 'Format', cell: ({ format }) => <code>{format}</code> },
  { head: 'Since', kind: 'number', cell: ({ ms }) => durationText(ms) },
  { head: 'Done', cell: ({ bytes, bytesDone }) => <Meter share={bytes === 0 ? 0 : bytesDone / bytes} /> },
  { head: 'Bytes', kind: 'number', cell: ({ bytes }) => bytesText(bytes) },
  { head: 'Values', kind: 'number', cell: ({ values }) => countText(values) },
]

function drainColumn(page: Page): Column<WorkerFigures> {
  return {
    head: 'Replace',
    kind: 'action',
    cell: ({ id, state }) =>
      state !== 'draining' && (
        <button
          type="button"
          class="small"
          aria-label={`Replace I/O worker ${id}`}
          onClick={() => askDrainWorker(page, id)}
        >
          Replace
        </button>
      ),
  }
}
