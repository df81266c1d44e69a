/** One frame of `top`: what two looks at a service come to, as lines that fit a terminal. */
import { connectionBar, LEGEND } from './connection-bar.ts'
import { type ApiRow, countAt, numberAt, textAt } from './row-field.ts'
import { Rates, type ServiceLook } from './service-look.ts'
import { type Paint, type Tone, toneOf } from './terminal/paint.ts'
import { plainText } from './terminal/plain-text.ts'
import { bytesText, countText, timeText, waitText } from './terminal/quantity.ts'
import { NO_VALUE, type TableCell, type TableColumn, tableLines } from './terminal/table.ts'
import { cutText } from './terminal/text-width.ts'

export const TOP_ORDERS = ['name', 'waiters', 'in use', 'leases/s'] as const

export type TopOrder = (typeof TOP_ORDERS)[number]

export type TopView = {
  /** Where the service is. */
  readonly place: string
  /** Null until it has answered. */
  readonly look: ServiceLook | null
  /** The look before that; null for the first. */
  readonly before: ServiceLook | null
  /** Why the service does not answer now; null where it does. */
  readonly fault: string | null
  readonly order: TopOrder
  /** Targets that are above the first that is shown. */
  readonly scroll: number
}

export type TopForm = {
  /** Null: as wide and as long as it takes, for a pipe. */
  readonly size: { readonly columns: number; readonly rows: number } | null
  readonly paint: Paint
}

const TARGETS: readonly TableColumn[] = [
  { title: 'TARGET', rank: 0 },
  { title: 'STATE', rank: 1 },
  { title: 'BREAKER', rank: 3 },
  { title: 'CONNECTIONS', rank: 7 },
  { title: 'IN USE', rank: 2 },
  { title: 'IDLE', rank: 8 },
  { title: 'WAITERS', rank: 4 },
  { title: 'WAIT', rank: 6 },
  { title: 'LEASES/s', rank: 5 },
  { title: 'DIALS/s', rank: 9 },
]

const WORKERS: readonly TableColumn[] = [
  { title: 'WORKER', rank: 0 },
  { title: 'KIND', rank: 1 },
  { title: 'STATE', rank: 3 },
  { title: 'BUSY', rank: 2 },
  { title: 'CONNECTIONS', rank: 6 },
  { title: 'IN/s', rank: 4 },
  { title: 'OUT/s', rank: 5 },
  { title: 'TASKS/s', rank: 7 },
]

/** Lines that are the workers' at the least, where there are more of them than room. */
const WORKER_LINES_MIN = 4

export type TopFrame = {
  /** As many as the terminal has at the most, each as wide at the most. */
  readonly lines: readonly string[]
  /** The view's, but no further down than there is something to see. */
  readonly scroll: number
}

export function topFrame(view: TopView, form: TopForm): TopFrame {
  const { size, paint } = form
  const width = size?.columns ?? null
  const fault = view.fault === null ? [] : [paint(cut(plainText(view.fault), width), 'bad')]
  const place = paint(cut(`sockpool ${plainText(view.place)}`, width), 'strong')
  if (view.look === null)
    return { lines: [place, '', ...(fault.length > 0 ? fault : [cut('asking …', width)])], scroll: 0 }
  const seconds = view.before === null ? 0 : (view.look.atMs - view.before.atMs) / 1_000
  const targetRates = new Rates(view.before?.targets ?? [], seconds)
  const workerRates = new Rates(view.before?.workers ?? [], seconds)
  const head = [place, ...summary(view.look, targetRates, workerRates, width), ...fault, '']
  const [titles = '', ...targets] = tableLines(
    TARGETS,
    sorted(view.look.targets, view.order, targetRates).map(row => targetCells(row, targetRates)),
    { width, paint },
  )
  const workers = tableLines(
    WORKERS,
    view.look.workers.map(row => workerCells(row, workerRates)),
    { width, paint },
  )
  if (size === null) return { lines: [...head, titles, ...targets, '', ...workers], scroll: 0 }
  const foot = paint(cut(`q quit · s sort (${view.order}) · ↑ ↓ scroll   ${LEGEND}`, width), 'faint')
  const room = Math.max(2, size.rows - head.length - 3)
  const ownWorkers = workers.slice(0, Math.max(Math.min(WORKER_LINES_MIN, room - 1), room - targets.length))
  const ownRoom = room - ownWorkers.length
  const scroll = Math.min(view.scroll, Math.max(0, targets.length - ownRoom))
  const shown = windowOf(targets.slice(scroll), ownRoom, size.columns)
  const lines = [...head, titles, ...shown, '', ...ownWorkers]
  const free = Math.max(0, size.rows - lines.length - 1)
  const all = [...lines, ...Array.from({ length: free }, () => ''), foot]
  return { lines: all.slice(0, size.rows), scroll }
}

function cut(text: string, width: number | null): string {
  return width === null ? text : cutText(text, Math.max(0, width))
}

/** The lines that fit; the last says how many come behind it. */
function windowOf(rest: readonly string[], room: number, width: number): readonly string[] {
  if (rest.length <= room) return rest
  const kept = rest.slice(0, Math.max(0, room - 1))
  return [...kept, cut(`… ${rest.length - kept.length} more`, width)]
}

function summary(
  { stats, targets, workers }: ServiceLook,
  targetRates: Rates,
  workerRates: Rates,
  width: number | null,
): string[] {
  const count = (path: string): string => countText(countAt(stats, path))
  const bytes = (path: string): string => bytesText(countAt(stats, path))
  const waiting = countAt(stats, 'waiters')
  const now = [
    `up ${timeText(countAt(stats, 'uptimeMs'))}`,
    `leases ${count('leases')}`,
    `waiters ${countText(waiting)}`,
    `rss ${bytes('memory.rss')}`,
    `heap ${bytes('memory.heapUsed')}`,
    `rings ${bytes('memory.ringBytes')}`,
    `parsing ${count('parse.busy')} of ${count('parse.workers')}, ${count('parse.queued')} queued`,
  ]
  const perSecond = [
    `leases ${rateText(targetRates.sum(targets, 'served'), countText)}/s`,
    `dials ${rateText(targetRates.sum(targets, 'opened'), countText)}/s`,
    `in ${rateText(workerRates.sum(workers, 'bytesIn'), bytesText)}/s`,
    `out ${rateText(workerRates.sum(workers, 'bytesOut'), bytesText)}/s`,
  ]
  return [cut(now.join('   '), width), cut(perSecond.join('   '), width)]
}

function rateText(rate: number | null, text: (value: number) => string): string {
  return rate === null ? '-' : text(rate)
}

function sorted(rows: readonly ApiRow[], order: TopOrder, rates: Rates): readonly ApiRow[] {
  if (order === 'name')
    return rows.toSorted((one, other) => compare(textAt(one, 'name'), textAt(other, 'name')))
  const most = (row: ApiRow): number => {
    switch (order) {
      case 'waiters':
        return countAt(row, 'waiters')
      case 'in use':
        return inUse(row)
      case 'leases/s':
        return rates.of(row, 'served') ?? 0
      default:
        return order satisfies never
    }
  }
  return rows.toSorted((one, other) => most(other) - most(one))
}

function compare(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}

function inUse(row: ApiRow): number {
  return countAt(row, 'connections.leased') + countAt(row, 'connections.multiplexed')
}

function targetCells(row: ApiRow, rates: Rates): TableCell[] {
  const waiters = countAt(row, 'waiters')
  const wait = numberAt(row, 'expectedWaitMs')
  return [
    { text: textAt(row, 'name') },
    state(textAt(row, 'state')),
    state(textAt(row, 'breaker')),
    // Never cut: a part of a bar would say something else.
    { text: connectionBar(row), isNumber: true },
    { text: `${inUse(row)}/${countAt(row, 'connections.max')}`, isNumber: true },
    number(countAt(row, 'connections.idle')),
    { ...number(waiters), tone: waiters > 0 ? 'warning' : null },
    wait === null ? NO_VALUE : { text: waitText(wait), isNumber: true },
    rate(rates.of(row, 'served'), countText),
    rate(rates.of(row, 'opened'), countText),
  ]
}

function workerCells(row: ApiRow, rates: Rates): TableCell[] {
  const busy = numberAt(row, 'utilization')
  const connections = numberAt(row, 'connections')
  return [
    { text: textAt(row, 'id') },
    { text: textAt(row, 'kind') },
    state(textAt(row, 'state')),
    busy === null ? NO_VALUE : { text: `${Math.round(busy * 100)} %`, isNumber: true, tone: busyTone(busy) },
    connections === null ? NO_VALUE : number(connections),
    rate(rates.of(row, 'bytesIn'), bytesText),
    rate(rates.of(row, 'bytesOut'), bytesText),
    rate(rates.of(row, 'tasks') ?? rates.of(row, 'requests'), countText),
  ]
}

/** A thread that has no time left is what all others wait for. */
function busyTone(busy: number): Tone | null {
  if (busy >= 0.95) return 'bad'
  return busy >= 0.8 ? 'warning' : null
}

function state(text: string): TableCell {
  return { text, tone: toneOf(text) }
}

function number(count: number): TableCell {
  return { text: countText(count), isNumber: true }
}

function rate(value: number | null, text: (value: number) => string): TableCell {
  return value === null ? NO_VALUE : { text: text(value), isNumber: true }
}
