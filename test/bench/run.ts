/**
 * `npm run bench [-- ROW… --rounds N --quick --json FILE]`: ours and the rival in turn, medians and their ratio. Exit code 1
 * where a goal is missed.
 */
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { ProgressLine } from '../../src/command/terminal/progress-line.ts'
import { findingsOf } from './goals.ts'
import { textOf } from './report.ts'
import { alternate, type Effort, type Row } from './rounds.ts'
import { blockedRow } from './rows/blocked-row.ts'
import { bulkRestRow } from './rows/bulk-rest-row.ts'
import { bulkRow } from './rows/bulk-row.ts'
import { echoRow } from './rows/echo-row.ts'
import { exchangeRedisRow } from './rows/exchange-redis-row.ts'
import { exchangeRow } from './rows/exchange-row.ts'
import { forwardMessageRow } from './rows/forward-message-row.ts'
import { forwardRow } from './rows/forward-row.ts'
import { idleRow } from './rows/idle-row.ts'
import { leaseRow } from './rows/lease-row.ts'
import { leasedRow } from './rows/leased-row.ts'
import { linesRow } from './rows/lines-row.ts'
import { multiplexRow } from './rows/multiplex-row.ts'
import { parseRestRow } from './rows/parse-rest-row.ts'
import { parseRow } from './rows/parse-row.ts'
import { readUntilRow } from './rows/read-until-row.ts'
import { receiveRow } from './rows/receive-row.ts'
import { sendRow } from './rows/send-row.ts'
import { startRow } from './rows/start-row.ts'

const ROWS: readonly Row[] = [
  exchangeRow('exchange', 'bare', [
    { against: 'bare', ratioMin: 1 },
    { against: 'bare', measure: 'usMain', ratioMax: 1.3 },
    { measure: 'garbage', max: 30_000 },
  ]),
  exchangeRow('exchange-threads', 'threads', [{ against: 'one thread', ratioMin: 1.5, coresMin: 4 }]),
  exchangeRow('exchange-tcp', 'tcp', [{ against: 'dial each', ratioMin: 2 }]),
  exchangeRow('exchange-tls', 'tls', [{ against: 'dial each', ratioMin: 10 }]),
  exchangeRedisRow('exchange-redis', [{ against: 'webdis', ratioMin: 0.6 }]),
  multiplexRow('multiplex', [
    { against: 'ioredis', ratioMin: 1 },
    { against: 'un-multiplexed', ratioMin: 3 },
  ]),
  leaseRow('lease', 'echo', [
    { against: 'generic-pool', ratioMin: 1 },
    { against: 'tarn', ratioMin: 1 },
  ]),
  leaseRow('lease-alone', 'alone', [
    { measure: 'us', max: 6 },
    { of: 'one at a time', measure: 'us', max: 120 },
  ]),
  echoRow('echo-256', 256, 0, [
    { against: 'net', measure: 'usMain', ratioMax: 0.25 },
    { against: 'net', measure: 'usAll', ratioMax: 1.35 },
    { against: 'net', ratioMin: 0.8 },
  ]),
  echoRow('echo-256-work20', 256, 20, [{ against: 'net', ratioMin: 1.3 }]),
  echoRow('echo-256-work50', 256, 50, [{ against: 'net', ratioMin: 1.6 }]),
  // At most 1.6 times the time of net.
  echoRow('echo-1', 1, 0, [{ against: 'net', ratioMin: 1 / 1.6 }]),
  blockedRow('blocked', [{ against: 'net', ratioMin: 1.8 }]),
  bulkRow('bulk-read', 'read', [
    { against: 'net', ratioMin: 0.9 },
    { of: 'chunks', against: 'net', ratioMin: 0.9 },
  ]),
  bulkRow('bulk-read-into', 'into', [{ against: 'net', ratioMin: 1.5 }]),
  receiveRow('receive-16', 'net', 16, [{ against: 'net', ratioMin: 1 }]),
  bulkRow('bulk-chunks-reuse', 'reuse', [
    { against: 'net', ratioMin: 1.5 },
    { measure: 'fresh', max: 0 },
  ]),
  bulkRow('bulk-pipe', 'pipe', [{ against: 'net', ratioMin: 0.9 }]),
  bulkRestRow('bulk-rest', [{ against: 'pipe', ratioMin: 0.8 }]),
  sendRow('bulk-send-1', 1, [{ against: 'net', ratioMin: 1.1 }]),
  sendRow('bulk-send-4', 4, [{ against: 'net', ratioMin: 1.1 }]),
  receiveRow('tls-receive-4', 'tls', 4, [
    { against: 'tls', ratioMin: 1.2 },
    { measure: 'busy', max: 0.25 },
    { against: 'tls', measure: 'delay', ratioMax: 0.2 },
  ]),
  linesRow('read-line', 'line', [{ against: 'asyncio', ratioMin: 2.5 }]),
  linesRow('line-batches', 'batches', [{ against: 'readline', ratioMin: 1 }]),
  // By the processor's time for a byte: four times the bytes may take 4.5 times as long.
  readUntilRow('read-until', [{ against: '1 MB', measure: 'usMain', ratioMax: 4.5 / 4 }]),
  forwardRow('forward-echo', 'echo', [
    { against: 'haproxy', ratioMin: 0.9 },
    { against: 'pipe', ratioMin: 1.2 },
  ]),
  forwardRow('forward-bulk', 'bulk', [{ against: 'haproxy', ratioMin: 1.1 }]),
  forwardMessageRow('forward-message', [
    { against: 'nutcracker', ratioMin: 0.7 },
    { against: 'haproxy', ratioMin: 0.6 },
  ]),
  idleRow('idle', [
    { measure: 'kib', max: 10 },
    { against: 'net', measure: 'kibUsed', ratioMax: 2.5 },
  ]),
  leasedRow('leased-10k', [{ against: '100 leased', measure: 'us', ratioMax: 1.5 }]),
  startRow('start', [{ against: 'fastify', measure: 'ms', ratioMax: 2 }]),
  parseRow('parse', 'messages', [
    { against: 'alone', ratioMin: 0.9 },
    { measure: 'delay', max: 20 },
  ]),
  parseRow('parse-run', 'run', [{ against: 'alone', ratioMin: 0.9 }]),
  // A probe that waits longer takes the service for dead.
  parseRestRow('parse-rest', [{ measure: 'livezP99Ms', max: 25 }]),
]

const FULL: Effort = { rounds: 15, warmUps: 10, roundMs: 400, share: 1 }
/** The whole run ends within three minutes: enough to see what is far off, too little to tell 5 %. */
const QUICK: Effort = { rounds: 1, warmUps: 2, roundMs: 120, share: 0.1 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const usual = values.quick ? QUICK : FULL
const effort: Effort = {
  ...usual,
  rounds: values.rounds === undefined ? usual.rounds : Number(values.rounds),
}
const rows = positionals.length === 0 ? ROWS : ROWS.filter(({ name }) => positionals.includes(name))
if (!(effort.rounds >= 1) || rows.length < positionals.length) {
  process.stderr.write(`rows: ${ROWS.map(({ name }) => name).join(', ')}; --rounds is at least 1\n`)
  process.exit(2)
}

process.stdout.write(
  `node ${process.version}, ${availableParallelism()} processors, ${effort.rounds} rounds each\n`,
)
// By an exit, so that what it started and wrote goes with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const progress = new ProgressLine(process.stderr)
const report: object[] = []
for (const row of rows)
  try {
    report.push(await measureRow(row))
  } catch (error) {
    progress.clear()
    // The other rows can be measured all the same.
    process.stdout.write(`${row.name}: FAILED: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exitCode = 1
  }
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)

async function measureRow(row: Row): Promise<object> {
  const field = await row.setUp(effort)
  try {
    const rounds = Math.min(effort.rounds, row.roundsMax ?? effort.rounds)
    const runs = (rounds + (row.coldStart ? 0 : effort.warmUps)) * field.contenders.length
    const what = `${row.name} (${rows.indexOf(row) + 1} of ${rows.length})`
    progress.begin({ what, unit: 'counts', total: runs })
    const own = { ...effort, rounds }
    const measured = await alternate(field.contenders, own, row.coldStart, () => progress.add(1))
    progress.clear()
    process.stdout.write(`${textOf(row, measured, field.notes ?? [])}\n`)
    const findings = findingsOf(row.goals, measured)
    if (findings.some(({ verdict }) => verdict === 'MISSED')) process.exitCode = 1
    const { name, unit } = row
    return { row: name, unit, notes: field.notes ?? [], findings, rounds: Object.fromEntries(measured) }
  } finally {
    await field.close()
  }
}
