/**
 * Patterns over bytes, with RE2's syntax and in linear time: no text makes a search take longer than its length times
 * the pattern's. What cannot be searched so (back-references, look-around) is no pattern.
 */
import { RE2JS } from 're2js'
import { errorText } from './error-text.ts'
import { LIMITS } from './limits.ts'

/** Where a pattern was found. */
export type PatternMatch = {
  /** Bytes up to the end of the match. */
  readonly end: number
  /** A view of what the first group matched, or the whole match where there is none; empty where the group took no part. */
  readonly captured: Uint8Array
}

/** By their texts. Each connection of a target runs the same few. */
const compiled = new Map<string, RE2JS>()

/** Why the text is no pattern that a dialog can await, or null. Completes the sentence "the pattern …". */
export function patternFault(text: string): string | null {
  if (text.length > LIMITS.patternCharsMax) return `must have at most ${LIMITS.patternCharsMax} characters`
  try {
    const expression = RE2JS.compile(text)
    if (expression.programSize() > LIMITS.patternSizeMax)
      return 'is too large when its repeats are written out'
    return expression.matcher('').find() ? 'must not match where nothing has come' : null
  } catch (error) {
    const reason = errorText(error).replace(/^error parsing regexp: /, '')
    return `cannot be searched in linear time, or is none: ${reason}`
  }
}

/** The first match in the bytes, as UTF-8; null where there is none. The text has no `patternFault`. */
export function findPattern(text: string, bytes: Uint8Array): PatternMatch | null {
  const matcher = expressionOf(text).matcher(bytes)
  if (!matcher.find()) return null
  const group = matcher.groupCount() > 0 ? 1 : 0
  const [start, end] = [matcher.start(group), matcher.end(group)]
  return { end: matcher.end(), captured: start === -1 ? bytes.subarray(0, 0) : bytes.subarray(start, end) }
}

function expressionOf(text: string): RE2JS {
  const expression = compiled.get(text) ?? RE2JS.compile(text)
  compiled.delete(text)
  compiled.set(text, expression)
  if (compiled.size > LIMITS.patternsKept) compiled.delete(compiled.keys().next().value ?? '')
  return expression
}
