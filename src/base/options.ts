/**
 * Judges what a program hands over as options: each value by what it means, before anything waits or is taken. Types are
 * no defence against a caller without them. A value that is absent stays so; its default is for the call to say.
 *
 * The judge takes a value, never the object that it came from: whoever calls reads each property once, so that a getter
 * or a proxy cannot say one thing here and another later. No value is repeated in a message, as it may be a secret, or
 * a symbol, which no text can show.
 */

import { END_LIMITS } from './end-limits.ts'
import { type ErrorCode, SockpoolError } from './errors.ts'

const TIME_LIMIT = `must be a number of milliseconds from 0 to ${END_LIMITS.timerMsMax}, or Infinity for no limit`

/** INVALID_REQUEST with one fault. */
export function invalidOption(path: string, message: string): SockpoolError {
  return new SockpoolError('INVALID_REQUEST', `${path}: ${message}`, { errors: [{ path, message }] })
}

/** As asyncio's TypeError, for an argument of the wrong type; it has the code of a request that is malformed. */
export function typeFault(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'INVALID_REQUEST' satisfies ErrorCode })
}

/** The options themselves: an object, of whatever prototype. Errors: INVALID_REQUEST. */
export function optionsObject<Options extends object>(options: Options, path = 'options'): Options {
  if (typeof options === 'object' && options !== null) return options
  throw invalidOption(path, 'must be an object')
}

/** Milliseconds that a timer can wait; a fraction counts as a whole one. Errors: INVALID_REQUEST. */
export function durationOption<Value>(path: string, value: Value, minMs = 0): Value {
  const bounds = `from ${minMs} to ${END_LIMITS.timerMsMax}`
  return wholeMilliseconds(path, value, minMs, `must be a number of milliseconds ${bounds}`)
}

/** As `durationOption`, or Infinity for no limit. Errors: INVALID_REQUEST. */
export function timeLimitOption<Value>(path: string, value: Value): Value {
  return value === Number.POSITIVE_INFINITY ? value : wholeMilliseconds(path, value, 0, TIME_LIMIT)
}

/** A whole number within bounds, ends included. Errors: INVALID_REQUEST. */
export function countOption<Value>(
  path: string,
  value: Value,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): Value {
  if (value === undefined || isWholeWithin(value, min, max)) return value
  throw invalidOption(path, `must be a whole number from ${min} to ${max}`)
}

/** Something with the members of an AbortSignal: it may be another realm's. Errors: INVALID_REQUEST. */
export function signalOption<Value>(path: string, value: Value): Value {
  if (value === undefined || value instanceof AbortSignal || isSignal(value)) return value
  throw invalidOption(path, 'must be an AbortSignal')
}

/** One of the words. Errors: INVALID_REQUEST. */
export function choiceOption<Value>(path: string, value: Value, words: readonly string[]): Value {
  if (value === undefined || (typeof value === 'string' && words.includes(value))) return value
  throw invalidOption(path, `must be one of ${words.join(', ')}`)
}

/** Errors: INVALID_REQUEST. */
export function flagOption<Value>(path: string, value: Value): Value {
  if (value === undefined || typeof value === 'boolean') return value
  throw invalidOption(path, 'must be true or false')
}

/** Errors: INVALID_REQUEST. */
export function textOption<Value>(path: string, value: Value): Value {
  if (value === undefined || typeof value === 'string') return value
  throw invalidOption(path, 'must be a string')
}

/** Errors: INVALID_REQUEST, also where there is none. */
export function requireFunction(path: string, value: unknown): void {
  if (typeof value === 'function') return
  throw invalidOption(path, 'must be a function')
}

function wholeMilliseconds<Value>(path: string, value: Value, minMs: number, expects: string): Value {
  if (value === undefined || isWholeWithin(value, minMs, END_LIMITS.timerMsMax)) return value
  const rounded = typeof value === 'number' && value >= 0 ? Math.ceil(value) : Number.NaN
  if (isWholeWithin(rounded, minMs, END_LIMITS.timerMsMax)) return rounded as Value
  throw invalidOption(path, expects)
}

function isWholeWithin(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
}

function isSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  return (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  )
}
