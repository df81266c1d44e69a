/** Figures as text. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

export function countText(count: number | null | undefined): string {
  return typeof count === 'number' ? whole.format(count) : '–'
}

/** How long something took: three digits say enough. */
export function durationText(ms: number | null | undefined): string {
  if (typeof ms !== 'number') return '–'
  if (ms === 0) return '0 ms'
  if (ms < 1) return `${three.format(ms * 1_000)} µs`
  if (ms < 1_000) return `${three.format(ms)} ms`
  if (ms < 60_000) return `${three.format(ms / 1_000)} s`
  return ageText(ms)
}

/** How long something has been so. */
export function ageText(ms: number | null | undefined): string {
  if (typeof ms !== 'number') return '–'
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function bytesText(bytes: number | null | undefined): string {
  if (typeof bytes !== 'number') return '–'
  let value = bytes
  let unit = 0
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024
    unit++
  }
  return `${unit === 0 ? whole.format(value) : three.format(value)} ${UNITS[unit] ?? ''}`
}

export function shareText(share: number | null | undefined): string {
  return typeof share === 'number' ? `${Math.round(share * 100)} %` : '–'
}

/** The time of day with milliseconds, in the zone of who reads it. */
export function clockText(at: string): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return at
  const part = (value: number, length = 2): string => String(value).padStart(length, '0')
  return `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}`
}

const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })

/** The day and the minute, in the zone of who reads it: of what may lie days back. */
export function dayText(at: string): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? at : day.format(date)
}

/** `one connection`, `3 connections`. */
export function some(count: number, one: string, many: string): string {
  return count === 1 ? `one ${one}` : `${countText(count)} ${many}`
}

/** `half_open` is for programs. */
export function words(name: string): string {
  return name.replaceAll('_', ' ')
}
