/** Names that a caller lists as an option, and names that no object may have. */
import { LIMITS } from '../../base/limits.ts'
import { invalidOption } from '../../base/options.ts'

/**
 * A list of different texts; or one text, in which commas stand between them, as a query has it. Absent is null.
 *
 * Errors: INVALID_REQUEST.
 */
export function nameListOption(path: string, value: unknown): readonly string[] | null {
  if (value === undefined) return null
  const names: unknown = typeof value === 'string' ? value.split(',') : value
  const { formatNamesMax, formatNameCharsMax } = LIMITS
  if (!Array.isArray(names) || names.length === 0 || names.length > formatNamesMax)
    throw invalidOption(path, `must be a list of 1 to ${formatNamesMax} names`)
  // A copy of its own, in which no element is missing.
  const texts: unknown[] = Array.from(names)
  if (!texts.every((name): name is string => isText(name, formatNameCharsMax)))
    throw invalidOption(path, `must hold names of at most ${formatNameCharsMax} characters`)
  if (new Set(texts).size < texts.length) throw invalidOption(path, 'must not hold a name twice')
  return texts
}

function isText(name: unknown, charsMax: number): name is string {
  return typeof name === 'string' && name.length <= charsMax
}

/** Names of columns under which a program that reads the object would find, or change, what belongs to all objects. */
export function isReservedName(name: string): boolean {
  return name === '__proto__' || name === 'constructor'
}
