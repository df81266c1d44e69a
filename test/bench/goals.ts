/** What is claimed of a row, and what came of it. */
import { availableParallelism } from 'node:os'
import { column, middle, pairedRatios, quantile, type Rounds } from './rounds.ts'

/** Who is meant where a goal says nobody: ours. */
export const OURS = 'sockpool'

/**
 * One thing that is claimed: `of` (ours) against another's rate; a number of its own; or that number against another's.
 * `coresMin`: on fewer processors it is shown and not judged.
 */
export type Goal = { readonly of?: string; readonly coresMin?: number } & (
  | { readonly against: string; readonly ratioMin: number }
  | { readonly measure: string; readonly max: number }
  | { readonly against: string; readonly measure: string; readonly ratioMax: number }
)

export type Verdict = 'met' | 'MISSED' | 'not judged'

export type Finding = {
  readonly goal: string
  readonly value: number
  /** Quartiles over the rounds. */
  readonly from: number
  readonly to: number
  readonly verdict: Verdict
}

export function findingsOf(goals: readonly Goal[], rounds: Rounds): Finding[] {
  return goals.map(goal => {
    const { label, values, value, isMet } = judge(goal, rounds)
    const isJudged = !Number.isNaN(value) && availableParallelism() >= (goal.coresMin ?? 1)
    const verdict: Verdict = !isJudged ? 'not judged' : isMet ? 'met' : 'MISSED'
    return { goal: label, value, from: quantile(values, 0.25), to: quantile(values, 0.75), verdict }
  })
}

type Judgement = {
  readonly label: string
  readonly values: readonly number[]
  readonly value: number
  readonly isMet: boolean
}

function judge(goal: Goal, rounds: Rounds): Judgement {
  const { of = OURS } = goal
  const who = of === OURS ? '' : `${of}: `
  if ('ratioMin' in goal) {
    const { against, ratioMin } = goal
    const value = middle(rounds, of, 'rate') / middle(rounds, against, 'rate')
    const values = pairedRatios(rounds, of, against)
    return { label: `${who}rate >= ${ratioMin}x ${against}`, values, value, isMet: value >= ratioMin }
  }
  const { measure } = goal
  if ('max' in goal) {
    const value = middle(rounds, of, measure)
    const values = column(rounds, of, measure)
    return { label: `${who}${measure} <= ${goal.max}`, values, value, isMet: value <= goal.max }
  }
  const { against, ratioMax } = goal
  const value = middle(rounds, of, measure) / middle(rounds, against, measure)
  const values = pairedRatios(rounds, of, against, measure)
  return { label: `${who}${measure} <= ${ratioMax}x ${against}`, values, value, isMet: value <= ratioMax }
}
