/**
 * What a fleet costs a lease that it has a permit for: acquired and released at an instance of one, and at one that stands alone, in
 * turn, by the time that a caller sees and by what the processor has worked.
 */
import { findingsOf, type Goal, OURS } from '../bench/goals.ts'
import { alternate, column, type Effort, median } from '../bench/rounds.ts'
import { Findings, type PlayReport } from '../soak/findings.ts'
import { cpuMsOf } from '../support/cpu-time.ts'
import { Caller, failureOf, jsonIn } from './caller.ts'
import { type Field, TARGET } from './field.ts'
import type { Instance } from './instance.ts'

export type CostScale = {
  readonly rounds: number
  readonly warmUps: number
  /** Milliseconds of a round: processor time is counted in hundredths of a second. */
  readonly roundMs: number
  readonly callers: number
}

const RATIO_MAX = 1.05
const ALONE = 'alone'
const GOALS: readonly Goal[] = [
  { against: ALONE, ratioMin: 1 / RATIO_MAX },
  { against: ALONE, measure: 'us', ratioMax: RATIO_MAX },
]

export async function cost(
  field: Field,
  scale: CostScale,
  watched: (done: number, total: number) => void = () => {},
): Promise<PlayReport> {
  const findings = new Findings()
  const caller = new Caller(field.token)
  const [member] = field.instances
  const [alone] = field.alone
  if (member === undefined || alone === undefined) throw new Error('it takes one of each')
  const effort: Effort = { ...scale, share: 1 }
  const total = (scale.rounds + scale.warmUps) * 2
  let done = 0
  try {
    const contenders = [
      { name: OURS, run: (round: Effort) => measure(caller, member, scale.callers, round.roundMs) },
      { name: ALONE, run: (round: Effort) => measure(caller, alone, scale.callers, round.roundMs) },
    ]
    const rounds = await alternate(contenders, effort, false, () => watched(++done, total))
    for (const [key, name] of Object.entries({ fleet: OURS, alone: ALONE })) {
      findings.set(`${key}: leases a second`, median(column(rounds, name, 'rate')))
      findings.set(`${key}: µs of the processor for each`, median(column(rounds, name, 'us')))
    }
    for (const { goal, value, from, to, verdict } of findingsOf(GOALS, rounds)) {
      const isRate = goal.startsWith('rate')
      const name = isRate ? 'time, fleet to alone' : 'processor, fleet to alone'
      findings.set(name, isRate ? 1 / value : value)
      findings.set(`${name}, quartiles from`, isRate ? 1 / to : from)
      findings.set(`${name}, quartiles to`, isRate ? 1 / from : to)
      if (verdict === 'MISSED') findings.violate(`${name} is ${isRate ? 1 / value : value}`)
    }
  } finally {
    caller.close()
  }
  return findings.report('cost')
}

async function measure(
  caller: Caller,
  instance: Instance,
  callers: number,
  forMs: number,
): Promise<{ readonly rate: number; readonly us: number }> {
  const cpuMs = cpuMsOf(instance.pid)
  const startedMs = performance.now()
  const untilMs = startedMs + forMs
  let count = 0
  const call = async (): Promise<void> => {
    for (; performance.now() < untilMs; count++) {
      const json = { target: TARGET }
      const answer = await caller.ask(instance, { method: 'POST', path: '/v1/leases', json })
      throwFailure(answer)
      const path = `/v1/leases/${jsonIn<{ id: string }>(answer).id}`
      throwFailure(await caller.ask(instance, { method: 'DELETE', path }))
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
  const seconds = (performance.now() - startedMs) / 1_000
  return { rate: count / seconds, us: ((cpuMsOf(instance.pid) - cpuMs) * 1_000) / count }
}

function throwFailure(outcome: Parameters<typeof failureOf>[0]): void {
  const failure = failureOf(outcome)
  if (failure !== null) throw new Error(failure.detail)
}
