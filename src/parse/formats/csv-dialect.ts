/** What a caller says of the CSV that comes: the signs in it, and what becomes of a record. */
import { flagOption, invalidOption } from '../../base/options.ts'
import { closedOptions } from './closed-options.ts'
import { isReservedName, nameListOption } from './name-list.ts'

/** The signs are bytes; -1 for one that there is not. */
export type CsvSigns = {
  readonly delimiter: number
  readonly quote: number
  /** What in quotes makes a character of the next one; usually the quote. */
  readonly escaper: number
  readonly comment: number
  /** Whether white space around a field is no part of it. */
  readonly trim: boolean
  /** Whether a quote within a field that does not begin with one is a character like others. */
  readonly relaxQuotes: boolean
  readonly skipEmptyLines: boolean
}

export type CsvDialect = CsvSigns & {
  /** Whether the first record names the columns. */
  readonly header: boolean
  /** The names of the columns, which go before those of a header. */
  readonly columns: readonly string[] | null
  readonly relaxColumnCount: boolean
}

const NAMES = [
  'header',
  'columns',
  'delimiter',
  'quote',
  'escape',
  'comment',
  'trim',
  'relaxColumnCount',
  'relaxQuotes',
  'skipEmptyLines',
] as const

/** Errors: INVALID_REQUEST. */
export function csvDialect(options: unknown): CsvDialect {
  const own = closedOptions('csv', options, NAMES)
  const flag = (name: (typeof NAMES)[number]): boolean => flagOption(`options.${name}`, own[name]) === true
  const quote = signOption('quote', own.quote, '"', true)
  const dialect: CsvDialect = {
    delimiter: signOption('delimiter', own.delimiter, ',', false),
    quote,
    escaper: own.escape === undefined ? quote : signOption('escape', own.escape, '', false),
    comment: signOption('comment', own.comment, '', true),
    trim: flag('trim'),
    relaxQuotes: flag('relaxQuotes'),
    skipEmptyLines: flag('skipEmptyLines'),
    header: flag('header'),
    columns: columnsOption(own.columns),
    relaxColumnCount: flag('relaxColumnCount'),
  }
  checkDifferent(dialect)
  return dialect
}

const [TAB, SPACE, DELETE] = [0x09, 0x20, 0x7f]

/** One character of ASCII, which is one byte wherever it stands in UTF-8. */
function signOption(name: string, value: unknown, otherwise: string, mayLack: boolean): number {
  const path = `options.${name}`
  const sign: unknown = value === undefined ? otherwise : value
  if (sign === '' && (mayLack || value === undefined)) return -1
  const byte = typeof sign === 'string' && sign.length === 1 ? sign.charCodeAt(0) : -1
  // A line's end is never another sign, and NUL is what binary data has.
  if (byte <= 0 || byte > DELETE || byte === 0x0a || byte === 0x0d)
    throw invalidOption(path, `must be one character of ASCII${mayLack ? ", or '' for none" : ''}`)
  if (name !== 'delimiter' && (byte === TAB || byte === SPACE))
    throw invalidOption(path, 'must not be white space')
  return byte
}

function columnsOption(value: unknown): readonly string[] | null {
  const columns = nameListOption('options.columns', value)
  if (columns?.some(isReservedName))
    throw invalidOption('options.columns', 'must not hold __proto__ or constructor')
  return columns
}

function checkDifferent({ delimiter, quote, escaper, comment }: CsvSigns): void {
  if (quote === -1 && escaper !== -1)
    throw invalidOption('options.escape', 'must be absent where there are no quotes')
  const signs = [
    ['quote', quote],
    ['escape', escaper],
    ['comment', comment],
  ] as const
  const before: number[] = [delimiter]
  for (const [name, sign] of signs) {
    // Quotes are escaped by themselves where nothing else is said.
    const isDoubled = name === 'escape' && sign === quote
    if (sign !== -1 && before.includes(sign) && !isDoubled)
      throw invalidOption(`options.${name}`, 'must differ from the other signs')
    before.push(sign)
  }
}
