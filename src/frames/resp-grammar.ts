/**
 * What RESP's lines look like, as a table: for every state and byte, the state that follows. A line is walked by a look-up a
 * byte, so it is judged at its first wrong one.
 *
 *   + - text            : ( integer       _ nothing      # t f
 *   , double            $ length -1 ?     ! = length     * count -1 ?
 *   ~ % count ?         > | count         ; length       . nothing
 */

export const RESP_STATE = {
  broken: 0,
  /** Starts: of a whole answer, of a value within another, of one that a streamed aggregate may end before, of a streamed string's part. */
  answer: 1,
  value: 2,
  element: 3,
  part: 4,
  /** Of a request's array, and of its arguments. */
  request: 5,
  argument: 6,
  /** Of the three letters and the colon that a verbatim string's body begins with. */
  format: 7,
  format2: 8,
  format3: 9,
  format4: 10,
  text: 11,
  integer: 12,
  integerDigits: 13,
  digits: 14,
  boolean: 15,
  double: 16,
  doubleSigned: 17,
  whole: 18,
  fraction: 19,
  exponent: 20,
  exponentSigned: 21,
  exponentDigits: 22,
  inf2: 23,
  inf3: 24,
  nan2: 25,
  nan3: 26,
  length: 27,
  nullOrLength: 28,
  streamOrLength: 29,
  nullSign: 30,
  return: 31,
  newline: 32,
  /** From here on a byte means more than what may follow it: see `RespHead`. */
  counted: 33,
  zero: 34,
  null: 35,
  stream: 36,
  ended: 37,
} as const

export type RespState = (typeof RESP_STATE)[keyof typeof RESP_STATE]

/** The first of the states that mean more. */
export const MEANING: number = RESP_STATE.counted

type StateName = keyof typeof RESP_STATE

const DIGITS = '0123456789'
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
const TEXT = String.fromCharCode(...Array(256).keys()).replace(/[\r\n]/g, '')

const VALUES: readonly StateName[] = ['answer', 'value', 'element']

/** From any of these states, by any of these bytes, to that state. */
const EDGES: readonly (readonly [readonly StateName[], string, StateName])[] = [
  [VALUES, '+-', 'text'],
  [VALUES, ':(', 'integer'],
  [VALUES, '_', 'return'],
  [VALUES, '#', 'boolean'],
  [VALUES, ',', 'double'],
  [VALUES, '$*', 'nullOrLength'],
  [VALUES, '~%', 'streamOrLength'],
  [VALUES, '!=|', 'length'],
  [['answer'], '>', 'length'],
  [['element'], '.', 'return'],
  [['part'], ';', 'length'],
  [['request'], '*', 'length'],
  [['argument'], '$', 'length'],
  [['format'], TEXT, 'format2'],
  [['format2'], TEXT, 'format3'],
  [['format3'], TEXT, 'format4'],
  [['format4'], ':', 'ended'],
  [['text'], TEXT, 'text'],
  [['integer'], '+-', 'integerDigits'],
  [['integer', 'integerDigits', 'digits'], DIGITS, 'digits'],
  [['boolean'], 'tf', 'return'],
  [['double'], '+-', 'doubleSigned'],
  [['double', 'doubleSigned', 'whole'], DIGITS, 'whole'],
  [['double', 'doubleSigned'], 'i', 'inf2'],
  [['inf2'], 'n', 'inf3'],
  [['inf3'], 'f', 'return'],
  [['double', 'doubleSigned'], 'n', 'nan2'],
  [['nan2'], 'a', 'nan3'],
  [['nan3'], 'n', 'return'],
  [['whole'], '.', 'fraction'],
  [['fraction'], DIGITS, 'fraction'],
  [['whole', 'fraction'], 'eE', 'exponent'],
  [['exponent'], '+-', 'exponentSigned'],
  [['exponent', 'exponentSigned', 'exponentDigits'], DIGITS, 'exponentDigits'],
  [['length', 'nullOrLength', 'streamOrLength'], '123456789', 'counted'],
  [['length', 'nullOrLength', 'streamOrLength'], '0', 'zero'],
  [['counted'], DIGITS, 'counted'],
  [['nullOrLength'], '-', 'nullSign'],
  [['nullSign'], '1', 'null'],
  [['nullOrLength', 'streamOrLength'], '?', 'stream'],
  [['text', 'digits', 'whole', 'fraction', 'exponentDigits'], '\r', 'newline'],
  [['counted', 'zero', 'null', 'stream', 'return'], '\r', 'newline'],
  [['newline'], '\n', 'ended'],
]

/** The state that follows state `s` by byte `b`, at `s << 8 | b`. */
export const NEXT_STATE: Uint8Array = table()

/** Bytes that an inline command can begin with. */
export const INLINE_STARTS: ReadonlySet<number> = new Set(Buffer.from(DIGITS + LETTERS))

function table(): Uint8Array {
  const next = new Uint8Array(Object.keys(RESP_STATE).length << 8)
  for (const [from, bytes, to] of EDGES)
    for (const name of from)
      for (const byte of Buffer.from(bytes, 'latin1')) next[(RESP_STATE[name] << 8) | byte] = RESP_STATE[to]
  return next
}
