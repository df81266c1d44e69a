/** The three charts of a history: who waits and holds, how long waits were, and how long leases last. */
import type { VNode } from 'preact'
import { usePage } from '../page.ts'
import { Chart } from '../parts/chart.tsx'
import { countText, durationText } from '../parts/format.ts'
import { CLASS_ENDS_MS } from '../service/rolling-times.ts'
import { HISTORY_MS, type HistoryPoints, type TargetHistory } from '../service/target-history.ts'

const CLASS_NAMES: readonly string[] = [...CLASS_ENDS_MS.map(end => `≤${durationText(end)}`), 'longer']

/** `about`: whose history it is, for who hears of it. */
export function HistoryCharts({
  history,
  about,
}: {
  readonly history: TargetHistory
  readonly about: string
}): VNode {
  const { live } = usePage()
  // The history is no signal: it is new with each round.
  live.round.value
  const { points } = history
  const across = { kind: 'times', times: points.times, spanMs: HISTORY_MS } as const
  return (
    <div class="charts">
      <DemandChart points={points} across={across} about={about} />
      <WaitChart points={points} across={across} about={about} />
      <HoldChart history={history} about={about} />
    </div>
  )
}

type PointsProps = {
  readonly points: HistoryPoints
  readonly across: { readonly kind: 'times'; readonly times: readonly number[]; readonly spanMs: number }
  readonly about: string
}

function DemandChart({ points, across, about }: PointsProps): VNode {
  const [leased, waiters] = [points.leased.at(-1), points.waiters.at(-1)]
  const most = Math.max(0, ...points.waiters)
  return (
    <Chart
      title="Leases and waiters"
      summary={`${about}: ${countText(leased)} leased and ${countText(waiters)} waiting now; at most ${countText(most)} waited in the last ten minutes`}
      across={across}
      unit="count"
      series={[
        { name: 'leased', mark: 'line-leased', values: points.leased, now: countText(leased) },
        { name: 'waiters', mark: 'line-waiters', values: points.waiters, now: countText(waiters) },
      ]}
    />
  )
}

function WaitChart({ points, across, about }: PointsProps): VNode {
  const [median, high] = [lastOf(points.waitMedian), lastOf(points.waitHigh)]
  return (
    <Chart
      title="Wait for a lease"
      summary={`${about}: callers last waited ${durationText(median)} in the median, and ${durationText(high)} at the 95th percentile`}
      across={across}
      unit="duration"
      series={[
        { name: 'median', mark: 'line-median', values: points.waitMedian, now: durationText(median) },
        { name: '95 %', mark: 'line-high', values: points.waitHigh, now: durationText(high) },
      ]}
    />
  )
}

function HoldChart({ history, about }: { readonly history: TargetHistory; readonly about: string }): VNode {
  const counts = history.holds.counts(Date.now())
  const sum = counts.reduce((all, count) => all + count, 0)
  const most = counts.indexOf(Math.max(...counts))
  const often = sum === 0 ? '' : `, most of them ${CLASS_NAMES[most] ?? ''}`
  return (
    <Chart
      title="How long leases were held"
      summary={`${about}: ${countText(sum)} leases ended in the last ten minutes${often}`}
      across={{ kind: 'classes', names: CLASS_NAMES }}
      unit="count"
      series={[{ name: 'in ten minutes', mark: 'line-held', values: counts, now: countText(sum) }]}
    />
  )
}

/** Rounds in which nobody got a lease have none. */
function lastOf(values: readonly (number | null)[]): number | null {
  return values.findLast(value => value !== null) ?? null
}
