/** The figures of targets: those that the configuration names each by itself, all that callers describe together. */
import type { Pool } from '../pool/pool.ts'
import type { BreakerName } from '../pool/target/breaker.ts'
import type { TargetStats } from '../pool/target/pool-stats.ts'
import { SLOT_STATES } from '../pool/target/slot.ts'
import type { TargetTallies, TargetTally } from '../pool/target/target-tally.ts'
import type { FamilyKey } from './families.ts'
import type { Samples } from './samples.ts'

/** The label of what callers describe: their hosts are nobody's to see. */
export const DESCRIBED = '(described)'

export type TargetSources = {
  readonly pool: Pick<Pool, 'targets'>
  /** What was counted of named targets, and of described ones, those that are forgotten too. */
  readonly tallies: TargetTallies
}

const BREAKER_STATES: Readonly<Record<BreakerName, number>> = { off: 0, closed: 0, half_open: 1, open: 2 }

export function addTargets(samples: Samples, { pool, tallies }: TargetSources): void {
  const rows = Map.groupBy(pool.targets(), ({ tenant, name }) => (tenant === null ? name : DESCRIBED))
  for (const [target, tally] of [...tallies.named, [DESCRIBED, tallies.described] as const]) {
    addRows(samples, target, rows.get(target) ?? [])
    samples.add('waiters', { target }, waitersOf(rows.get(target) ?? [], tallies.aheadOf(target)))
    addTally(samples, target, tally)
  }
}

/** Callers that wait in the queues of targets, and ahead of them: one too few while a lease is on its way to whom it is for. */
function waitersOf(rows: readonly TargetStats[], ahead: number): number {
  return Math.max(
    0,
    rows.reduce((sum, { waiters }) => sum + waiters, ahead),
  )
}

/** Of a described target there may be many, and there may be none. */
function addRows(samples: Samples, target: string, rows: readonly TargetStats[]): void {
  const add = (family: FamilyKey, of: (row: TargetStats) => number, more: object = {}): void =>
    samples.add(
      family,
      { target, ...more },
      rows.reduce((sum, row) => sum + of(row), 0),
    )
  for (const state of SLOT_STATES) add('connections', ({ connections }) => connections[state], { state })
  add('connectionsMax', ({ connections }) => connections.max)
  add('connectionsMin', ({ connections }) => connections.min)
  const breakers = rows.map(({ breaker }) => BREAKER_STATES[breaker])
  samples.add('breaker', { target }, Math.max(0, ...breakers))
  if (rows.some(({ multiplex }) => multiplex !== null)) {
    add('multiplexInFlight', ({ multiplex }) => multiplex?.inFlight ?? 0)
    add('multiplexOrphans', ({ multiplex }) => multiplex?.orphans ?? 0)
  }
  for (const { messages } of rows)
    for (const [reason, pins] of Object.entries(messages?.pins ?? {}))
      samples.add('forwardPins', { target, reason }, pins)
}

function addTally(samples: Samples, target: string, tally: TargetTally): void {
  const { acquired, leased, connected, exchanged, opened, closed, lost } = tally
  const results = [
    ['acquire', acquired],
    ['connect', connected],
    ['exchange', exchanged],
  ] as const
  for (const [family, tallies] of results)
    for (const [result, durations] of tallies) samples.addDurations(family, { target, result }, durations)
  samples.addDurations('lease', { target }, leased)
  samples.add('acquireTimeouts', { target }, acquired.countOf('wait_timeout'))
  samples.add('opened', { target }, opened)
  for (const [reason, count] of closed) samples.add('closed', { target, reason }, count)
  samples.add('poisoned', { target }, closed.get('poisoned') ?? 0)
  for (const [reason, count] of lost) samples.add('leaseLost', { target, reason }, count)
}
