/**
 * CSV in UTF-8, by RFC 4180 with the signs that the caller names. A value is a record: the list of its fields, which are
 * texts always, or an object by the names of its columns. A line ends with `\n`, `\r\n` or `\r`; the last needs no end.
 *
 * Records are found by a scanner of our own, as bytes that come one by one must have an end, and are taken apart by
 * csv-parse. It is given many at once, so that its start costs little, and few enough that their rows need no room.
 */
import { invariant, SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type CsvDialect, csvDialect } from './csv-dialect.ts'
import { CsvScanner } from './csv-scanner.ts'
import type { ConfiguredFormat, Decoder, Format } from './format.ts'
import { isReservedName } from './name-list.ts'
import { assertUtf8 } from './utf8-text.ts'
import { textOfValues } from './value-text.ts'

export const csv: Format = {
  name: 'csv',
  configure(options: unknown): ConfiguredFormat {
    const dialect = csvDialect(options)
    return {
      wholeOnly: dialect.header ? 'options.header' : null,
      open: async () => decoderOf(dialect, await loadRows(dialect)),
    }
  },
}

/** The rows of whole records. */
type Rows = (records: Buffer) => string[][]

async function loadRows(dialect: CsvDialect): Promise<Rows> {
  const { parse } = await import('csv-parse/sync')
  const sign = (byte: number): string | null => (byte === -1 ? null : String.fromCharCode(byte))
  const options = {
    delimiter: sign(dialect.delimiter) ?? ',',
    quote: sign(dialect.quote),
    escape: sign(dialect.escaper),
    record_delimiter: ['\r\n', '\n', '\r'],
    trim: dialect.trim,
    relax_quotes: dialect.relaxQuotes,
    relax_column_count: true,
  }
  return records => parse(records, options)
}

function decoderOf(dialect: CsvDialect, rows: Rows): Decoder {
  const cutting: Pick<Decoder, 'cutter' | 'decode'> = {
    cutter: saved => new CsvScanner(dialect, saved),
    decode(message) {
      const scanner = new CsvScanner(dialect)
      const end = scanner.push(message) || scanner.finish()
      invariant(end === message.length, `a cut message of ${message.length} bytes ends at ${end}`)
      const batch = new Batch(message)
      batch.add(scanner.start, message.length)
      const [record = []] = batch.rows(rows)
      return dialect.columns ? new Columns(dialect.columns, dialect).objectOf(record, scanner.start) : record
    },
  }
  return { ...cutting, text: textOfValues(cutting), whole: input => valuesOf(input, dialect, rows) }
}

function* valuesOf(input: Buffer, dialect: CsvDialect, rows: Rows): Iterable<unknown> {
  let columns = dialect.columns ? new Columns(dialect.columns, dialect) : null
  let isHeader = dialect.header
  for (const { starts, records } of batchesOf(input, dialect, rows))
    for (const [index, record] of records.entries()) {
      const start = starts[index] ?? 0
      if (isHeader) {
        isHeader = false
        columns ??= new Columns(headerOf(record, start), dialect)
      } else yield columns ? columns.objectOf(record, start) : record
    }
}

type Records = { readonly starts: readonly number[]; readonly records: readonly string[][] }

function* batchesOf(input: Buffer, dialect: CsvDialect, rows: Rows): Iterable<Records> {
  const scanner = new CsvScanner(dialect)
  let at = 0
  while (at < input.length) {
    const batch = new Batch(input)
    while (at < input.length && batch.bytes < LIMITS.csvBatchBytes) {
      scanner.begin(at)
      const end = scanner.scan(input, at) || scanner.finish()
      if (end === 'partial')
        throw new SockpoolError('PARSE_FAILED', 'the input ends within a quoted field', {
          offset: input.length,
        })
      if (typeof end === 'number') batch.add(scanner.start, end)
      at = typeof end === 'number' ? end : input.length
    }
    yield { starts: batch.starts, records: batch.rows(rows) }
  }
}

const LF = Buffer.from('\n')
const CR = 0x0d

/** Records of an input that are taken apart together. What lies between them is none of theirs. */
class Batch {
  readonly starts: number[] = []
  readonly #input: Buffer
  /** Where each run of records begins that lie side by side, and where it ends. */
  readonly #runs: { readonly start: number; end: number }[] = []
  bytes = 0

  constructor(input: Buffer) {
    this.#input = input
  }

  add(start: number, end: number): void {
    this.starts.push(start)
    this.bytes += end - start
    const run = this.#runs.at(-1)
    if (run?.end === start) run.end = end
    else this.#runs.push({ start, end })
  }

  /** Errors: PARSE_FAILED for what is not UTF-8. */
  rows(rows: Rows): string[][] {
    const found = rows(this.#records())
    // The library takes a last line of white space for no record where it trims.
    if (found.length === this.starts.length - 1) found.push([''])
    invariant(found.length === this.starts.length, `${this.starts.length} records are ${found.length} rows`)
    return found
  }

  #records(): Buffer {
    const pieces = this.#runs.map(({ start, end }) => this.#textOf(start, end))
    const [piece = Buffer.alloc(0)] = pieces
    if (pieces.length <= 1) return piece
    // A record that ends with CR must not get the empty record behind it as the second half of its line's end.
    return Buffer.concat(pieces.flatMap(text => (text.at(-1) === CR ? [text, LF] : [text])))
  }

  #textOf(start: number, end: number): Buffer {
    const text = this.#input.subarray(start, end)
    try {
      assertUtf8(text)
    } catch (error) {
      if (!(error instanceof SockpoolError)) throw error
      const offset = start + (error.offset ?? 0)
      throw new SockpoolError('PARSE_FAILED', error.message, { offset, cause: error })
    }
    return text
  }
}

/** Errors: PARSE_FAILED. */
function headerOf(record: readonly string[], offset: number): readonly string[] {
  const reserved = record.find(isReservedName)
  if (reserved !== undefined)
    throw new SockpoolError('PARSE_FAILED', `the header names a column ${reserved}`, { offset })
  if (new Set(record).size < record.length)
    throw new SockpoolError('PARSE_FAILED', 'the header names a column twice', { offset })
  return record
}

class Columns {
  readonly #names: readonly string[]
  readonly #relaxed: boolean

  constructor(names: readonly string[], { relaxColumnCount }: CsvDialect) {
    this.#names = names
    this.#relaxed = relaxColumnCount
  }

  /** Errors: PARSE_FAILED for a record of more or fewer fields, unless that is allowed: then what lacks a pair is left out. */
  objectOf(record: readonly string[], offset: number): Record<string, string> {
    const names = this.#names
    if (record.length !== names.length && !this.#relaxed)
      throw new SockpoolError(
        'PARSE_FAILED',
        `a record has ${record.length} fields for ${names.length} columns`,
        { offset },
      )
    const value: Record<string, string> = {}
    const count = Math.min(record.length, names.length)
    for (let index = 0; index < count; index++) value[names[index] ?? ''] = record[index] ?? ''
    return value
  }
}
