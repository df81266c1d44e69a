/** What a running service is doing, a row each: as a table, or as the API's JSON. */
import type { OutputFlags } from './control.ts'
import { askService } from './service-call.ts'
import { print, type Streams } from './streams.ts'

export const LISTINGS = ['targets', 'connections', 'leases', 'workers', 'stats'] as const

type Row = Readonly<Record<string, unknown>>

/** The columns of a table, by the path of their field. Lease ids are secrets, and have none. */
const COLUMNS: Readonly<Record<Exclude<(typeof LISTINGS)[number], 'stats'>, readonly string[]>> = {
  targets: [
    'name',
    'state',
    'breaker',
    'waiters',
    'connections.connecting',
    'connections.idle',
    'connections.leased',
    'connections.closing',
    'connections.max',
  ],
  connections: ['id', 'target', 'tenant', 'state', 'worker', 'remoteAddress', 'remotePort', 'ageMs', 'uses'],
  leases: ['target', 'state', 'ageMs', 'idleMs', 'lastOperation', 'connection.id'],
  workers: [
    'id',
    'kind',
    'state',
    'work',
    'tasks',
    'connections',
    'dialled',
    'bytesIn',
    'bytesOut',
    'utilization',
  ],
}

const OPERATION = ['name', 'at', 'ms', 'bytesIn', 'bytesOut', 'outcome']

/** A connection, and what was done with it last, oldest first. Errors: as `askService`. */
export async function connection(id: string, flags: OutputFlags, { stdout }: Streams): Promise<void> {
  const path = `/v1/connections/${encodeURIComponent(id)}`
  const answer = await askService(flags, { method: 'GET', path })
  if (flags.output === 'json') return await print(stdout, `${JSON.stringify(answer, null, 2)}\n`)
  const operations = Array.isArray(answer['operations']) ? (answer['operations'] as Row[]) : []
  await print(stdout, `${table(COLUMNS.connections, [answer])}\n${table(OPERATION, operations)}`)
}

/** `name`: only rows of this name, target or id. Errors: as `askService`. */
export async function list(
  listing: (typeof LISTINGS)[number],
  name: string | undefined,
  flags: OutputFlags,
  { stdout }: Streams,
): Promise<void> {
  const answer = await askService(flags, { method: 'GET', path: `/v1/${listing}` })
  const found = listing === 'stats' ? keyed(answer) : answer[listing]
  const rows = (Array.isArray(found) ? (found as Row[]) : []).filter(
    row => name === undefined || isNamed(row, name),
  )
  if (flags.output === 'json') {
    const whole = listing === 'stats' && name === undefined ? answer : rows
    return await print(stdout, `${JSON.stringify(whole, null, 2)}\n`)
  }
  await print(stdout, table(listing === 'stats' ? ['key', 'value'] : COLUMNS[listing], rows))
}

/** A row for each number, by its path: `connections.idle`. */
function keyed(answer: Row, before = ''): Row[] {
  return Object.entries(answer).flatMap(([name, value]) => {
    const key = `${before}${name}`
    return typeof value === 'object' && value !== null ? keyed(value as Row, `${key}.`) : [{ key, value }]
  })
}

function isNamed(row: Row, name: string): boolean {
  // `connections` of the stats are all that begin so.
  const isWithin = String(row['key']).startsWith(`${name}.`)
  return isWithin || ['name', 'target', 'id', 'key'].some(field => String(row[field]) === name)
}

/** Columns as wide as their widest cell, two blanks apart. */
function table(columns: readonly string[], rows: readonly Row[]): string {
  const cells = [
    columns.map(column => column.split('.').at(-1) ?? ''),
    ...rows.map(row => columns.map(column => cell(row, column))),
  ]
  const widths = columns.map((_, index) => Math.max(...cells.map(line => line[index]?.length ?? 0)))
  const lines = cells.map(line =>
    line
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}

function cell(row: Row, path: string): string {
  let value: unknown = row
  for (const key of path.split('.'))
    value = typeof value === 'object' && value !== null ? (value as Row)[key] : undefined
  if (value === null || value === undefined) return '-'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
