/** Bytes, times and rates as a reader takes them in at a glance: three digits and a unit. */

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const COUNTS = ['', 'k', 'M', 'G', 'T']

/** `512 B`, `1.5 KiB`, `12.3 MiB`, `240 GiB`. */
export function bytesText(bytes: number): string {
  return scaled(bytes, 1_024, BYTES, ' ')
}

/** `0.5`, `12`, `1.5k`, `12.3M`. */
export function countText(count: number): string {
  return scaled(count, 1_000, COUNTS, '')
}

/** `5s`, `3m12s`, `2h05m`, `9d04h`. */
export function timeText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000))
  const pair = (large: number, unit: string, small: number, smallUnit: string): string =>
    `${large}${unit}${String(small).padStart(2, '0')}${smallUnit}`
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${seconds}s`
  if (hours === 0) return pair(minutes, 'm', seconds % 60, 's')
  if (hours < 24) return pair(hours, 'h', minutes % 60, 'm')
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

/** `0.4 ms`, `12 ms`, `1.5 s`, `3m12s`. */
export function waitText(milliseconds: number): string {
  if (milliseconds < 1_000) return `${digits(milliseconds)} ms`
  return milliseconds < 60_000 ? `${digits(milliseconds / 1_000)} s` : timeText(milliseconds)
}

function scaled(amount: number, step: number, units: readonly string[], gap: string): string {
  let value = amount
  let place = 0
  // What would be told as 1000 or more of a unit is told in the next.
  while (value >= (place === 0 ? step : 999.5) && place < units.length - 1) {
    value /= step
    place++
  }
  return `${digits(value)}${gap}${units[place]}`
}

/** Whole from 100 on, and where it is whole; else with one digit behind the point. */
function digits(value: number): string {
  return value >= 99.95 ? String(Math.round(value)) : value.toFixed(1).replace('.0', '')
}
