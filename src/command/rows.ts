/** What a running service is doing, a row each: as a table, or as the API's JSON. */
import { environmentColumns } from '../config/environment.ts'
import type { OutputFlags } from './control.ts'
import { type ApiRow, fieldAt, isRow, rowsAt, textAt } from './row-field.ts'
import { askService } from './service-call.ts'
import { print, type Streams } from './streams.ts'
import { paintFor, toneOf } from './terminal/paint.ts'
import { plainJson } from './terminal/plain-text.ts'
import { terminalSize } from './terminal/size.ts'
import { type TableCell, tableLines } from './terminal/table.ts'

export const LISTINGS = ['targets', 'connections', 'leases', 'workers', 'stats'] as const

/** A column by the path of its field. `rank`: those with a higher one go first where the terminal is narrow. */
type FieldColumn = { readonly path: string; readonly rank?: number }

const field = (path: string, rank?: number): FieldColumn => (rank === undefined ? { path } : { path, rank })

/** The columns of a table. Lease ids are secrets, and have none. */
const COLUMNS: Readonly<Record<Exclude<(typeof LISTINGS)[number], 'stats'>, readonly FieldColumn[]>> = {
  targets: [
    field('name', 0),
    field('state', 1),
    field('breaker', 2),
    field('waiters', 3),
    field('expectedWaitMs', 7),
    field('connections.connecting', 8),
    field('connections.idle', 5),
    field('connections.leased', 4),
    field('connections.multiplexed', 10),
    field('connections.quarantined', 11),
    field('connections.closing', 9),
    field('connections.max', 6),
  ],
  connections: [
    field('id', 0),
    field('target', 1),
    field('tenant', 3),
    field('state', 2),
    field('worker', 8),
    field('remoteAddress', 5),
    field('remotePort', 6),
    field('ageMs', 4),
    field('uses', 7),
  ],
  leases: [
    field('target', 0),
    field('state', 5),
    field('ageMs', 1),
    field('idleMs', 3),
    field('lastOperation', 2),
    field('connection.id', 4),
  ],
  workers: [
    field('id', 0),
    field('kind', 1),
    field('state', 2),
    field('work', 7),
    field('tasks', 8),
    field('connections', 4),
    field('dialled', 9),
    field('bytesIn', 5),
    field('bytesOut', 6),
    field('utilization', 3),
  ],
}

const STATS = [field('key'), field('value')]
const OPERATIONS = ['name', 'at', 'ms', 'bytesIn', 'bytesOut', 'outcome'].map(path => field(path))

/** A connection, and what was done with it last, oldest first. Errors: as `askService`. */
export async function connection(id: string, flags: OutputFlags, { stdout }: Streams): Promise<void> {
  const path = `/v1/connections/${encodeURIComponent(id)}`
  const answer = await askService(flags, { method: 'GET', path })
  if (flags.output === 'json') return await print(stdout, `${plainJson(answer, 2)}\n`)
  const operations = table(OPERATIONS, rowsAt(answer, 'operations'), stdout)
  await print(stdout, `${table(COLUMNS.connections, [answer], stdout)}\n${operations}`)
}

/** `name`: only rows of this name, target or id. Errors: as `askService`. */
export async function list(
  listing: (typeof LISTINGS)[number],
  name: string | undefined,
  flags: OutputFlags,
  { stdout }: Streams,
): Promise<void> {
  const answer = await askService(flags, { method: 'GET', path: `/v1/${listing}` })
  const found = listing === 'stats' ? keyed(answer) : rowsAt(answer, listing)
  const rows = found.filter(row => name === undefined || isNamed(row, name))
  if (flags.output === 'json') {
    const whole = listing === 'stats' && name === undefined ? answer : rows
    return await print(stdout, `${plainJson(whole, 2)}\n`)
  }
  await print(stdout, table(listing === 'stats' ? STATS : COLUMNS[listing], rows, stdout))
}

/** A row for each number, by its path: `connections.idle`. */
function keyed(answer: ApiRow, before = ''): ApiRow[] {
  return Object.entries(answer).flatMap(([name, value]) => {
    const key = `${before}${name}`
    return isRow(value) ? keyed(value, `${key}.`) : [{ key, value }]
  })
}

function isNamed(row: ApiRow, name: string): boolean {
  // `connections` of the stats are all that begin so.
  const isWithin = String(row['key']).startsWith(`${name}.`)
  return isWithin || ['name', 'target', 'id', 'key'].some(key => String(row[key]) === name)
}

function table(columns: readonly FieldColumn[], rows: readonly ApiRow[], stdout: Streams['stdout']): string {
  const titled = columns.map(({ path, ...column }) => ({ ...column, title: path.split('.').at(-1) ?? '' }))
  const cells = rows.map(row => columns.map(({ path }) => cellOf(row, path)))
  const width = terminalSize(stdout, environmentColumns())?.columns ?? null
  return `${tableLines(titled, cells, { width, paint: paintFor(stdout) }).join('\n')}\n`
}

/** States have a colour. */
function cellOf(row: ApiRow, path: string): TableCell {
  const text = textAt(row, path)
  if (path === 'state' || path === 'breaker') return { text, tone: toneOf(text) }
  const value = fieldAt(row, path)
  if (typeof value !== 'number') return { text }
  // What a clock or a share has behind the third digit is noise.
  return { text: String(Math.round(value * 1_000) / 1_000), isNumber: true }
}
