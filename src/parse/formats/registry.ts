import { SockpoolError } from '../../base/errors.ts'
import type { Format } from './format.ts'
import { json } from './json.ts'
import { lines } from './lines.ts'
import { ndjson } from './ndjson.ts'

const FORMATS: ReadonlyMap<string, Format> = new Map(
  [json, lines, ndjson].map(format => [format.name, format]),
)

/** The names that `findFormat` knows. */
export const FORMAT_NAMES: readonly string[] = [...FORMATS.keys()]

/** Errors: FORMAT_NOT_FOUND. */
export function findFormat(name: string): Format {
  const format = FORMATS.get(name)
  if (format) return format
  throw new SockpoolError(
    'FORMAT_NOT_FOUND',
    `there is no format of this name; known: ${FORMAT_NAMES.join(', ')}`,
  )
}
