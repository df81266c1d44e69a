/** What a running service is doing, a row each: as a table, or as the API's JSON. */
import type { OutputFlags } from './control.ts'
import { type ApiRow, isRow, rowsAt } from './row-field.ts'
import { type FieldColumn, field, rowTable } from './row-table.ts'
import { askService } from './service-call.ts'
import { print, type Streams } from './streams.ts'
import { plainJson } from './terminal/plain-text.ts'

export const LISTINGS = ['targets', 'connections', 'leases', 'workers', 'stats'] as const

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
  const operations = rowTable(OPERATIONS, rowsAt(answer, 'operations'), stdout)
  await print(stdout, `${rowTable(COLUMNS.connections, [answer], stdout)}\n${operations}`)
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
  await print(stdout, rowTable(listing === 'stats' ? STATS : COLUMNS[listing], rows, stdout))
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
