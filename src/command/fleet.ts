/** The instances of a fleet, and who of them holds how much of its caps: as two tables, or as the API's JSON. */
import type { OutputFlags } from './control.ts'
import { type ApiRow, countAt, fieldAt, isRow, rowsAt, textAt } from './row-field.ts'
import { field, rowTable, shownTable } from './row-table.ts'
import { askService } from './service-call.ts'
import { print, type Streams } from './streams.ts'
import { paintFor } from './terminal/paint.ts'
import { plainJson, plainText } from './terminal/plain-text.ts'
import { NO_VALUE, type TableCell } from './terminal/table.ts'

const INSTANCES = [
  field('name', 0),
  field('url', 4),
  field('leases', 1),
  field('connections', 2),
  field('seenAt', 3),
  field('startedAt', 6),
  field('version', 5),
]

const ALONE = 'this service stands alone: its configuration has no fleet'

/** Errors: as `askService`. */
export async function fleet(flags: OutputFlags, { stdout }: Streams): Promise<void> {
  const answer = await askService(flags, { method: 'GET', path: '/v1/fleet' })
  if (flags.output === 'json') return await print(stdout, `${plainJson(answer, 2)}\n`)
  if (answer['state'] === 'alone') return await print(stdout, `${ALONE}\n`)
  const instances = rowTable(INSTANCES, rowsAt(answer, 'instances'), stdout)
  await print(stdout, `${stateLine(answer, stdout)}\n\n${instances}\n${capsTable(answer, stdout)}`)
}

function stateLine(answer: ApiRow, stdout: Streams['stdout']): string {
  const [name, state] = [textAt(answer, 'name'), textAt(answer, 'state')].map(plainText)
  if (state !== 'degraded') return `${name}: ${state}`
  const told = `${name}: degraded, the engine does not answer; this is what it said last`
  return paintFor(stdout)(told, 'warning')
}

type Cap = {
  readonly target: string
  readonly cap: number
  readonly held: number
  readonly byInstance: ReadonlyMap<string, number>
}

/** A column for each instance that holds a permit, who holds the most first: where there is no room, the least are left out. */
function capsTable(answer: ApiRow, stdout: Streams['stdout']): string {
  const caps = capsOf(answer)
  if (caps.length === 0) return 'no target has a cap\n'
  const holders = new Map<string, number>()
  for (const [name, permits] of caps.flatMap(({ byInstance }) => [...byInstance]))
    holders.set(name, (holders.get(name) ?? 0) + permits)
  const names = [...holders].toSorted(([, one], [, other]) => other - one).map(([name]) => name)
  const columns = ['target', 'held', 'cap', ...names].map(title => ({ title: plainText(title) }))
  const rows = caps.map(({ target, cap, held, byInstance }) => [
    { text: target },
    // Where all are held, callers of every instance begin to wait.
    { text: String(held), isNumber: true, tone: held >= cap ? ('warning' as const) : null },
    numberCell(cap),
    ...names.map(name => numberCell(byInstance.get(name) ?? null)),
  ])
  return shownTable(columns, rows, stdout)
}

/** Names of targets and instances may have dots, so that they are no paths of fields. */
function capsOf(answer: ApiRow): readonly Cap[] {
  const caps = fieldAt(answer, 'caps')
  return Object.entries(isRow(caps) ? caps : {}).flatMap(([target, row]) => {
    if (!isRow(row)) return []
    const by = fieldAt(row, 'byInstance')
    const permits = Object.entries(isRow(by) ? by : {}).filter(isPermits)
    return [{ target, cap: countAt(row, 'cap'), held: countAt(row, 'held'), byInstance: new Map(permits) }]
  })
}

function isPermits(entry: readonly [string, unknown]): entry is [string, number] {
  return typeof entry[1] === 'number'
}

function numberCell(value: number | null): TableCell {
  return value === null ? NO_VALUE : { text: String(value), isNumber: true }
}
