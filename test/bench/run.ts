/**
 * `npm run bench [-- ROW… --rounds N --json FILE]`: ours and the rival in turn, medians and their ratio. Exit code 1
 * where a goal is missed.
 */
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { bulkRow } from './bulk-row.ts'
import { echoRow } from './echo-row.ts'
import { exchangeRow } from './exchange-row.ts'
import { multiplexRow } from './multiplex-row.ts'
import { parseRestRow } from './parse-rest-row.ts'
import { parseRow } from './parse-row.ts'
import {
  alternate,
  column,
  type Goal,
  median,
  pairedRatios,
  quantile,
  type Rounds,
  type Row,
} from './rounds.ts'

const ROWS: readonly Row[] = [
  echoRow('echo-256', 256, [
    { against: 'net', ratioMin: 1 },
    { measure: 'busy', max: 0.3 },
  ]),
  // At most twice the time of net.
  echoRow('echo-1', 1, [{ against: 'net', ratioMin: 0.5 }]),
  bulkRow('bulk', [
    { against: 'net', ratioMin: 1 },
    { against: 'relay', ratioMin: 1.6 },
  ]),
  exchangeRow('exchange', [{ against: 'generic-pool', ratioMin: 0.9 }]),
  multiplexRow('multiplex', [
    { against: 'ioredis', ratioMin: 1 },
    { against: 'un-multiplexed', ratioMin: 3 },
  ]),
  parseRow('parse', 'messages', [
    { against: 'alone', ratioMin: 0.9 },
    { measure: 'delay', max: 20 },
  ]),
  parseRow('parse-run', 'run', [{ against: 'alone', ratioMin: 0.9 }]),
  // A probe that waits longer takes the service for dead.
  parseRestRow('parse-rest', [{ measure: 'livezP99Ms', max: 25 }]),
]

const OURS = 'sockpool'

/** One goal of a row and what came of it. */
type Finding = {
  readonly row: string
  readonly goal: string
  readonly value: number
  /** Quartiles over the rounds. */
  readonly from: number
  readonly to: number
  readonly met: boolean
}

function findings(row: Row, rounds: Rounds): Finding[] {
  return row.goals.map(goal => {
    const { label, values, value, met } = judge(goal, rounds)
    return {
      row: row.name,
      goal: label,
      value,
      from: quantile(values, 0.25),
      to: quantile(values, 0.75),
      met,
    }
  })
}

function judge(goal: Goal, rounds: Rounds): { label: string; values: number[]; value: number; met: boolean } {
  if ('measure' in goal) {
    const values = column(rounds, OURS, goal.measure)
    const value = median(values)
    return { label: `${goal.measure} <= ${goal.max}`, values, value, met: value <= goal.max }
  }
  const values = pairedRatios(rounds, OURS, goal.against)
  const value = median(column(rounds, OURS, 'rate')) / median(column(rounds, goal.against, 'rate'))
  return { label: `${goal.against} >= ${goal.ratioMin}x`, values, value, met: value >= goal.ratioMin }
}

function tableOf(row: Row, rounds: Rounds): string {
  const lines = [`${row.name}: ${row.what}`]
  for (const [name, measures] of rounds) {
    const rate = median(measures.map(measure => measure.rate))
    const others = Object.keys(measures[0] ?? {}).filter(key => key !== 'rate')
    const thread = others.map(key => `${key} ${median(column(rounds, name, key)).toFixed(2)}`)
    lines.push(`  ${name.padEnd(14)} ${rate.toFixed(0).padStart(9)} ${row.unit}   main ${thread.join(', ')}`)
  }
  for (const { goal, value, from, to, met } of findings(row, rounds))
    lines.push(
      `  ${goal.padEnd(22)} ${value.toFixed(2)} (${from.toFixed(2)}-${to.toFixed(2)})   ${met ? 'met' : 'MISSED'}`,
    )
  return lines.join('\n')
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '15' }, json: { type: 'string' } },
})
const count = Number(values.rounds)
const rows = positionals.length === 0 ? ROWS : ROWS.filter(({ name }) => positionals.includes(name))
if (!(count >= 1) || rows.length < positionals.length) {
  process.stderr.write(`rows: ${ROWS.map(({ name }) => name).join(', ')}; --rounds is at least 1\n`)
  process.exit(2)
}

process.stdout.write(`node ${process.version}, ${availableParallelism()} processors, ${count} rounds each\n`)
const report: object[] = []
for (const row of rows) {
  const field = await row.setUp()
  try {
    const rounds = await alternate(field.contenders, count)
    process.stdout.write(`${tableOf(row, rounds)}\n`)
    const found = findings(row, rounds)
    report.push({ row: row.name, unit: row.unit, findings: found, rounds: Object.fromEntries(rounds) })
    if (!found.every(({ met }) => met)) process.exitCode = 1
  } finally {
    await field.close()
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
