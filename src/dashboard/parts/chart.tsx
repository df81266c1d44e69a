/**
 * A chart by uPlot, the one place that knows it. Its colours are those of its legend's marks, so that the style sheet alone says
 * what they are; its height is fixed, and what it shows is told in words too, as a canvas cannot be read aloud.
 */
import type { VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { usePage } from '../page.ts'
import { countText, durationText } from './format.ts'

export type ChartSeries = {
  readonly name: string
  /** The class of its mark, whose colour it has. */
  readonly mark: string
  readonly values: readonly (number | null)[]
  /** Its value of now, as text. */
  readonly now: string
}

export type ChartProps = {
  readonly title: string
  /** What it shows, in a sentence. */
  readonly summary: string
  /** `times` are seconds since 1970, `classes` the names of what stands side by side. */
  readonly across:
    | { readonly kind: 'times'; readonly times: readonly number[]; readonly spanMs: number }
    | { readonly kind: 'classes'; readonly names: readonly string[] }
  readonly series: readonly ChartSeries[]
  /** What the values are: counts, or milliseconds. */
  readonly unit: 'count' | 'duration'
}

const HEIGHT = 150
const AXIS_WIDTH = 56
const SPAN_LEAST_S = 60
/** There is no half of a lease. */
const COUNT_STEPS: number[] = Array.from({ length: 10 }, (_, at) =>
  [1, 2, 5].map(step => step * 10 ** at),
).flat()

export function Chart(props: ChartProps): VNode {
  const { title, summary, series } = props
  const { theme } = usePage()
  const box = useRef<HTMLDivElement>(null)
  const legend = useRef<HTMLUListElement>(null)
  const plot = useRef<uPlot | null>(null)
  const shape = `${theme.shown.value} ${props.across.kind} ${series.map(({ mark }) => mark).join(' ')}`
  useEffect(() => {
    const place = box.current
    const marks = legend.current
    if (place === null || marks === null) return
    const own = new uPlot(optionsOf(props, place, marks), dataOf(props), place)
    plot.current = own
    const watch = new ResizeObserver(() => own.setSize({ width: place.clientWidth, height: HEIGHT }))
    watch.observe(place)
    return () => {
      watch.disconnect()
      own.destroy()
      plot.current = null
    }
  }, [shape])
  useEffect(() => {
    plot.current?.setData(dataOf(props))
  })
  return (
    <figure class="chart panel">
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend" ref={legend}>
          {series.map(({ name, mark, now }) => (
            <li key={name}>
              <span class={`mark ${mark}`} aria-hidden="true" />
              {name} <b class="number">{now}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div class="canvas" ref={box} role="img" aria-label={summary} />
    </figure>
  )
}

function dataOf({ across, series }: ChartProps): uPlot.AlignedData {
  const xs = across.kind === 'times' ? [...across.times] : across.names.map((_, at) => at)
  return [xs, ...series.map(({ values }) => [...values])]
}

function optionsOf(props: ChartProps, place: HTMLElement, marks: HTMLElement): uPlot.Options {
  const { across, series, unit } = props
  const style = getComputedStyle(place)
  const ink = style.color
  const grid = style.borderTopColor
  const font = `11px ${style.fontFamily}`
  const colours = [...marks.querySelectorAll('.mark')].map(mark => getComputedStyle(mark).color)
  const axis = { stroke: ink, font, ticks: { show: false } }
  const bottom = { grid: { show: false }, size: 26, gap: 6 }
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 22, 0, 0],
    scales: {
      x: across.kind === 'times' ? { time: true, range: lastSpan(across.spanMs) } : classScale(across.names),
      y: { range: (_plot, _min, max) => [0, Math.max(1, max) * 1.1] },
    },
    axes: [
      across.kind === 'times'
        ? { ...axis, ...bottom, space: 70, values: (_plot, times) => times.map(minuteText) }
        : { ...axis, ...bottom, space: 48, values: (_plot, ats) => ats.map(nameAt(across.names)) },
      {
        ...axis,
        size: AXIS_WIDTH,
        space: 36,
        grid: { stroke: grid, width: 1 },
        ...(unit === 'count' && { incrs: COUNT_STEPS }),
        values: (_plot, values) => values.map(unit === 'count' ? countText : durationText),
      },
    ],
    series: [
      {},
      ...series.map(({ name }, at) => {
        const colour = colours[at] ?? ink
        const look = { label: name, stroke: colour, points: { show: false } }
        if (across.kind === 'times') return { ...look, width: 1.5, spanGaps: true }
        const bars = uPlot.paths.bars?.({ size: [0.75, 60] })
        return { ...look, width: 0, fill: colour, ...(bars && { paths: bars }) }
      }),
    ],
  }
}

/** The time goes on where nothing comes. A page that was just opened shows the little that it knows. */
function lastSpan(spanMs: number): uPlot.Range.Function {
  return (_plot, first) => {
    const now = Date.now() / 1_000
    const known = Number.isFinite(first) ? now - first : 0
    return [now - Math.min(spanMs / 1_000, Math.max(SPAN_LEAST_S, known)), now]
  }
}

function classScale(names: readonly string[]): uPlot.Scale {
  return { time: false, range: () => [-0.5, names.length - 0.5] }
}

function nameAt(names: readonly string[]): (at: number) => string {
  return at => (Number.isInteger(at) ? (names[at] ?? '') : '')
}

function minuteText(seconds: number): string {
  const date = new Date(seconds * 1_000)
  const parts = [date.getHours(), date.getMinutes(), ...(seconds % 60 === 0 ? [] : [date.getSeconds()])]
  return parts.map(part => String(part).padStart(2, '0')).join(':')
}
