/**
 * `npm run fleet [-- PLAY… --instances N --duration D --leases N --seed S --small --json FILE --logs FOLDER]`: what is promised of a
 * fleet, shown from outside: an engine, an upstream that counts, and instances of the built service as processes. A line for each play;
 * exit code 1 where something that is claimed did not hold.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ProgressLine } from '../../src/command/terminal/progress-line.ts'
import type { PlayReport } from '../soak/findings.ts'
import { anywhere } from './anywhere.ts'
import { chaos } from './chaos.ts'
import { cost } from './cost.ts'
import { Field } from './field.ts'
import { ANYWHERE, CAP, CHAOS, COST, INSTANCES, SKEW } from './scales.ts'
import { skew } from './skew.ts'

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    instances: { type: 'string', default: `${INSTANCES}` },
    duration: { type: 'string' },
    leases: { type: 'string' },
    small: { type: 'boolean', default: false },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1_000_000)}` },
    json: { type: 'string' },
    logs: { type: 'string' },
  },
})
const seed = Number(values.seed)
const instances = Number(values.instances)
/** As far as the tests go, or in full. */
const scale = values.small ? 'small' : 'full'
const forMs = values.duration === undefined ? CHAOS[scale].forMs : durationMs(values.duration)
const leases = values.leases === undefined ? ANYWHERE[scale].leases : Number(values.leases)
const logs = values.logs === undefined ? {} : { logs: values.logs }
const progress = new ProgressLine(process.stderr)

type Play = { readonly run: (field: Field) => Promise<PlayReport>; readonly alone: number }

/** What a play takes long for, told on a terminal. */
const counted = (what: string): ((done: number, total: number) => void) => {
  let before = -1
  return (done, total) => {
    if (before < 0) progress.begin({ what, unit: 'counts', total })
    progress.add(done - Math.max(0, before))
    before = done
  }
}
const told = (what: string): void => {
  progress.clear()
  process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${what}\n`)
}

const PLAYS: Readonly<Record<string, Play>> = {
  anywhere: {
    alone: 0,
    run: field => anywhere(field, { ...ANYWHERE[scale], leases, seed }, counted('anywhere')),
  },
  skew: { alone: 0, run: field => skew(field, SKEW[scale]) },
  cost: { alone: 1, run: field => cost(field, COST.full, counted('cost')) },
  chaos: { alone: 0, run: field => chaos(field, { ...CHAOS[scale], forMs, seed }, told) },
}

const chosen = positionals.length === 0 ? Object.keys(PLAYS) : positionals
const isKnown = chosen.every(name => name in PLAYS) && instances >= 1 && forMs > 0 && leases > 0 && seed >= 0
if (!isKnown) {
  process.stderr.write(
    `plays: ${Object.keys(PLAYS).join(', ')}; --instances is at least 1, --duration as 60s or 10m\n`,
  )
  process.exit(2)
}
// By an exit, so that all that was started goes with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
if (values.logs !== undefined) mkdirSync(values.logs, { recursive: true })

const reports: PlayReport[] = []
for (const name of chosen) {
  const report = await played(name)
  reports.push(report)
  progress.clear()
  console.log(JSON.stringify(report))
  if (report.violations.length > 0) process.exitCode = 1
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(reports, null, 2)}\n`)

/** Each play has a fleet of its own, which must end well too. */
async function played(name: string): Promise<PlayReport> {
  const { run, alone } = PLAYS[name] as Play
  progress.begin({ what: name, unit: 'none', total: null })
  const count = name === 'cost' ? 1 : instances
  const field = await Field.open({ instances: count, cap: CAP, alone, ...logs })
  try {
    const report = await run(field)
    const faults = await field.close()
    return { ...report, violations: [...report.violations, ...faults] }
  } catch (error) {
    await field.abandon()
    throw error
  }
}

/** NaN where it is none. */
function durationMs(text: string): number {
  const [, count, unit = ''] = /^(\d+)([smh])$/.exec(text) ?? []
  return Number(count) * (UNITS_MS[unit] ?? Number.NaN)
}
