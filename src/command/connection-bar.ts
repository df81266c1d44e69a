/** A target's connections by state, as a bar of its pool's maximum: `████▒▒░·······`. */
import { type ApiRow, countAt } from './row-field.ts'

/** From the left: those that are of use to somebody, those that could be, those that are neither. */
const SIGNS = [
  { sign: '█', name: 'leased', paths: ['connections.leased'] },
  { sign: '▓', name: 'multiplexed', paths: ['connections.multiplexed'] },
  { sign: '▒', name: 'idle', paths: ['connections.idle'] },
  { sign: '░', name: 'connecting', paths: ['connections.connecting'] },
  { sign: '×', name: 'going', paths: ['connections.quarantined', 'connections.closing'] },
] as const

const FREE = '·'
const BAR_COLUMNS = 16

/** What the signs stand for. */
export const LEGEND: string = [...SIGNS.map(({ sign, name }) => `${sign} ${name}`), `${FREE} free`].join('  ')

/**
 * Always as wide. Up to so many connections each is a sign; beyond, a sign stands for several, and a state in which there
 * is one connection at least has a sign at least.
 */
export function connectionBar(row: ApiRow): string {
  const counts = SIGNS.map(({ paths }) => paths.reduce((sum, path) => sum + countAt(row, path), 0))
  const used = counts.reduce((sum, count) => sum + count, 0)
  const size = Math.max(countAt(row, 'connections.max'), used, 1)
  const columns = Math.min(size, BAR_COLUMNS)
  const shares = counts.map(count => (count === 0 ? 0 : Math.max(1, Math.round((count * columns) / size))))
  // What rounding up has added is taken from the largest.
  for (let excess = shares.reduce((sum, share) => sum + share, 0) - columns; excess > 0; excess--) {
    const largest = shares.indexOf(Math.max(...shares))
    shares[largest] = (shares[largest] ?? 0) - 1
  }
  const bar = SIGNS.map(({ sign }, index) => sign.repeat(shares[index] ?? 0)).join('')
  return bar.padEnd(columns, FREE).padEnd(BAR_COLUMNS)
}
