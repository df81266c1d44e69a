/**
 * `npm run soak [-- --minutes N] [--only PLAY] [--seed S]`: the plays in full, one after another and over again with other seeds until
 * the time is up, each at least once. A line for each play; exit code 1 where something that is claimed did not hold.
 */
import { parseArgs } from 'node:util'
import { ProgressLine } from '../../src/command/terminal/progress-line.ts'
import { canary } from './canary.ts'
import { changes } from './changes.ts'
import type { PlayReport, PlayWatch } from './findings.ts'
import { noisyTenant } from './noisy-tenant.ts'
import { outage } from './outage.ts'
import { redis } from './redis.ts'
import { CANARY, CHANGES, NOISY_TENANT, OUTAGE, REDIS } from './scales.ts'

const PLAYS: Readonly<Record<string, (seed: number, watched: PlayWatch) => Promise<PlayReport>>> = {
  canary: (seed, watched) => canary({ ...CANARY.full, seed }, watched),
  outage: (seed, watched) => outage({ ...OUTAGE.full, seed }, watched),
  'noisy-tenant': seed => noisyTenant({ ...NOISY_TENANT.full, seed }),
  changes: (seed, watched) => changes({ ...CHANGES.full, seed }, watched),
  redis: (seed, watched) => redis({ ...REDIS.full, seed }, watched),
}

/** The reports go to stdout, and this to stderr: it stands in no file of reports. */
const progress = new ProgressLine(process.stderr)

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '0' },
    only: { type: 'string' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1_000_000)}` },
  },
})
const chosen = Object.entries(PLAYS).filter(([name]) => values.only === undefined || name === values.only)
if (chosen.length > 0) await playUntil(performance.now() + Number(values.minutes) * 60_000)
else {
  console.error(`the plays are ${Object.keys(PLAYS).join(', ')}`)
  process.exitCode = 2
}

async function playUntil(untilMs: number): Promise<void> {
  for (let seed = Number(values.seed), isFirst = true; isFirst || performance.now() < untilMs; seed++) {
    for (const [name, play] of chosen) {
      if (!isFirst && performance.now() >= untilMs) return
      progress.begin({ what: `${name}, seed ${seed}`, unit: 'none', total: null })
      const report = await play(seed, watchOf(`${name}, seed ${seed}`))
      progress.clear()
      console.log(JSON.stringify(report))
      if (report.violations.length > 0) process.exitCode = 1
    }
    isFirst = false
  }
}

/** Tells how far a play is, from where it began. */
function watchOf(what: string): PlayWatch {
  let before = -1
  return (done, total) => {
    if (before < 0) progress.begin({ what, unit: 'counts', total })
    progress.add(done - Math.max(0, before))
    before = done
  }
}
