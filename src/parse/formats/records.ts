/** Pairs of keys and values as they come out of a protocol, whose keys may be anything and may come twice. */
import { SockpoolError } from '../../base/errors.ts'

export type Pair = readonly [key: unknown, value: unknown]

/**
 * An object where all keys are texts and none comes twice; else the pairs as they are, so that nothing is lost.
 *
 * Errors: PARSE_FAILED with `offset`, for keys that would reach a prototype in the program that reads the value.
 */
export function recordOf(pairs: readonly Pair[], offset: number): unknown {
  const record: Record<string, unknown> = {}
  for (const [key, value] of pairs) {
    if (key === '__proto__') throw forbiddenKey(offset)
    if (typeof key !== 'string' || Object.hasOwn(record, key)) return pairs
    record[key] = value
  }
  if (Object.hasOwn(record, 'constructor') && hasPrototype(record['constructor'])) throw forbiddenKey(offset)
  return record
}

/** PARSE_FAILED for `__proto__`, or for `prototype` in the object of a `constructor`. */
export function forbiddenKey(offset: number): SockpoolError {
  return new SockpoolError('PARSE_FAILED', 'the value holds a forbidden prototype property', { offset })
}

function hasPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}
