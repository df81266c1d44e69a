/**
 * A short way for short JSON texts. The scanner keeps bounds that a text of so few bytes cannot break, all but that of nesting;
 * what it and the second look would find beside that is rare, and easily ruled out. Then `JSON.parse` is judge enough, and
 * several times as quick as a look at each byte.
 */
import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../../base/limits.ts'
import type { JsonOptions } from './json-options.ts'

/** Numbers that may be no double, or none that is exact; the other words are those of forbidden keys, and of any that is escaped. */
const LARGE_NUMBER = /\d[eE]\+?\d{3}|\d{300}/
const LONG_NUMBER = /\d[eE]\+?\d{3}|\d{16}/
const WORDS = ['__proto__', 'prototype', '\\u'] as const

/** The value as `decodeJson` makes it; null where that, or the scanner, has to look at the text. */
export function quickJson(
  message: Buffer,
  { bigint, duplicates }: JsonOptions,
): { readonly value: unknown } | null {
  if (message.length > LIMITS.jsonQuickBytes || duplicates === 'error' || !isUtf8(message)) return null
  const text = message.toString('utf8')
  if (WORDS.some(word => text.includes(word)) || mayNestTooDeep(text)) return null
  if ((bigint === 'string' ? LONG_NUMBER : LARGE_NUMBER).test(text)) return null
  try {
    return { value: JSON.parse(text) }
  } catch {
    // The scanner says where it is wrong; a byte order mark is not.
    return null
  }
}

/** Whether it has more brackets than may be open at once, in strings or not. */
function mayNestTooDeep(text: string): boolean {
  let count = 0
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      count += 1
      if (count > LIMITS.parseDepthMax) return true
    }
  }
  return false
}
