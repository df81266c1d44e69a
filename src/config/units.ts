/**
 * Durations and sizes as people write them: `250ms`, `30s`, `5m`, `1h`; `64KiB`, `16MiB`, `1GiB`. A plain number
 * is milliseconds, or bytes. Fractions are refused below the unit of the result: nobody means 1.5 bytes.
 */

const MILLISECONDS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

// KB and MB are refused, not guessed at: some mean 1000 by them and some 1024.
const BYTES = new Map([
  ['B', 1],
  ['KiB', 1_024],
  ['MiB', 1_048_576],
  ['GiB', 1_073_741_824],
])

/** Milliseconds of `30s`, `5m`, `250ms`, `1h`, `2d` or a number; null where the text is no duration. */
export function parseDuration(value: unknown): number | null {
  return parseQuantity(value, MILLISECONDS)
}

/** Bytes of `64KiB`, `16MiB`, `1GiB`, `512B` or a number; null where the text is no size. */
export function parseSize(value: unknown): number | null {
  return parseQuantity(value, BYTES)
}

/** The shortest exact way to write so many milliseconds: 90000 is `90s`, 60000 is `1m`. */
export function formatDuration(milliseconds: number): string {
  return formatQuantity(milliseconds, MILLISECONDS)
}

/** The shortest exact way to write so many bytes: 16777216 is `16MiB`, 1000 is `1000B`. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, BYTES)
}

function parseQuantity(value: unknown, units: ReadonlyMap<string, number>): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null
  if (typeof value !== 'string') return null
  const parts = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(value)
  if (!parts) return null
  const [, digits = '', unit = ''] = parts
  const factor = unit === '' ? 1 : units.get(unit)
  if (factor === undefined) return null
  const total = Number(digits) * factor
  return Number.isSafeInteger(total) ? total : null
}

function formatQuantity(amount: number, units: ReadonlyMap<string, number>): string {
  const fitting = [...units].findLast(([, factor]) => amount >= factor && amount % factor === 0)
  const [unit, factor] = fitting ?? [...units][0] ?? ['', 1]
  return `${amount / factor}${unit}`
}
