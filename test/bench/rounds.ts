/**
 * Measures contenders in turn, so that what else the machine does falls on all of them alike. A round is one run of
 * each contender, and every second round runs them in reverse; the first ones warm up and are not counted.
 */
import type { Goal } from './goals.ts'

/** Numbers of one run; `rate` is what contenders are compared by, larger is better. */
export type Measure = { readonly rate: number } & Readonly<Record<string, number>>

/** How much is measured. */
export type Effort = {
  readonly rounds: number
  /** Rounds before those, which are not counted: code is compiled, connections are dialled. */
  readonly warmUps: number
  /** Length of a run that counts what it gets done. */
  readonly roundMs: number
  /** Share of the whole that a run does which does a whole task, 0..1. */
  readonly share: number
}

export type Contender = { readonly name: string; readonly run: (effort: Effort) => Promise<Measure> }

/** What a row sets up; the first contender is ours. */
export type Field = {
  readonly contenders: readonly Contender[]
  /** Lines about what could not be measured here, and why. */
  readonly notes?: readonly string[]
  readonly close: () => Promise<void>
}

export type Row = {
  readonly name: string
  readonly what: string
  readonly unit: string
  readonly goals: readonly Goal[]
  /** Rounds at the most, where one run is long or can only be the first. */
  readonly roundsMax?: number
  /** Whether the first run of each counts as well. Default: it warms up. */
  readonly coldStart?: boolean
  readonly setUp: (effort: Effort) => Promise<Field>
}

/** By contender, one measure for each counted round. */
export type Rounds = ReadonlyMap<string, readonly Measure[]>

/** What a run that warms up takes at the least, however short the others are: less leaves much to be compiled. */
const WARM_UP_MS = 400

export async function alternate(
  contenders: readonly Contender[],
  effort: Effort,
  coldStart = false,
  onRun: () => void = () => {},
): Promise<Rounds> {
  const warmUp = { ...effort, roundMs: Math.max(effort.roundMs, WARM_UP_MS) }
  const measures = new Map<string, Measure[]>(contenders.map(({ name }) => [name, []]))
  for (let round = coldStart ? 1 : 1 - effort.warmUps; round <= effort.rounds; round++) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed()
    for (const { name, run } of order) {
      const measure = await run(round > 0 ? effort : warmUp)
      onRun()
      if (round > 0) measures.get(name)?.push(measure)
    }
  }
  return measures
}

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which `share` of the others lie, interpolated. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}

/** What one contender's measure came to in each counted round. */
export function column(rounds: Rounds, contender: string, measure: string): number[] {
  return (rounds.get(contender) ?? []).map(values => values[measure] ?? Number.NaN)
}

/**
 * What stands for a contender's rounds: the median, but the mean of garbage, as a collection falls into one round and not
 * into the next.
 */
export function middle(rounds: Rounds, contender: string, measure: string): number {
  const values = column(rounds, contender, measure)
  if (!measure.startsWith('garbage')) return median(values)
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Ratios of two contenders, round by round. */
export function pairedRatios(rounds: Rounds, one: string, other: string, measure = 'rate'): number[] {
  const others = column(rounds, other, measure)
  return column(rounds, one, measure).map((value, round) => value / (others[round] ?? Number.NaN))
}
