/**
 * Measures contenders in turn, so that what else the machine does falls on all of them alike. A round is one run of
 * each contender, and every second round runs them in reverse; the first round warms up and is not counted.
 */

/** Numbers of one run; `rate` is what contenders are compared by, larger is better. */
export type Measure = { readonly rate: number } & Readonly<Record<string, number>>

export type Contender = { readonly name: string; readonly run: () => Promise<Measure> }

/** One thing that is claimed of a row: the first contender's against another's rate, or a number of its own. */
export type Goal =
  | { readonly against: string; readonly ratioMin: number }
  | { readonly measure: string; readonly max: number }

/** What a row sets up; the first contender is ours. */
export type Field = {
  readonly contenders: readonly Contender[]
  readonly close: () => Promise<void>
}

export type Row = {
  readonly name: string
  readonly what: string
  readonly unit: string
  readonly goals: readonly Goal[]
  readonly setUp: () => Promise<Field>
}

/** By contender, one measure for each counted round. */
export type Rounds = ReadonlyMap<string, readonly Measure[]>

export async function alternate(contenders: readonly Contender[], rounds: number): Promise<Rounds> {
  const measures = new Map<string, Measure[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed()
    for (const { name, run } of order) {
      const measure = await run()
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

/** Ratios of the rates of two contenders, round by round. */
export function pairedRatios(rounds: Rounds, one: string, other: string): number[] {
  const rates = column(rounds, other, 'rate')
  return column(rounds, one, 'rate').map((rate, round) => rate / (rates[round] ?? Number.NaN))
}
