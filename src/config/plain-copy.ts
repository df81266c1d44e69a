/**
 * A copy of a caller's options as plain data. Each property is read once, so that a getter or a proxy cannot say one
 * thing to the check and another to the dial; what is no data (functions, instances, symbols) is refused.
 */
import { isUtf8 } from 'node:buffer'
import { childPath } from './complete.ts'

const DEPTH_MAX = 8
const ENTRIES_MAX = 1_024

/** The copy; bytes become text as UTF-8. What cannot be copied is reported, and undefined stands in its place. */
export function plainCopy(
  value: unknown,
  path: string,
  report: (path: string, message: string) => void,
  depth = 0,
): unknown {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (value === undefined || typeof value === 'number') return value
  const refuse = (message: string): undefined => {
    report(path, message)
  }
  // In a file an empty key has its default; a program leaves it out.
  if (value === null) return refuse('must not be null')
  if (typeof value !== 'object') return refuse(`must be plain data, not a ${typeof value}`)
  if (depth > DEPTH_MAX) return refuse('must not be nested so deeply')
  if (value instanceof Uint8Array)
    return isUtf8(value) ? Buffer.from(value).toString('utf8') : refuse('must be text where it is bytes')
  if (Array.isArray(value)) {
    if (value.length > ENTRIES_MAX) return refuse(`must have at most ${ENTRIES_MAX} entries`)
    return Array.from(value, (item, index) =>
      plainCopy(item, childPath(path, String(index)), report, depth + 1),
    )
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return refuse('must be a plain object')
  const keys = Object.keys(value)
  if (keys.length > ENTRIES_MAX) return refuse(`must have at most ${ENTRIES_MAX} entries`)
  const source = value as Readonly<Record<string, unknown>>
  const copies = keys.map(
    key => [key, plainCopy(source[key], childPath(path, key), report, depth + 1)] as const,
  )
  return Object.fromEntries(copies.filter(([, copy]) => copy !== undefined))
}
