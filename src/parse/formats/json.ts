/**
 * JSON texts, one after another. One message is one value of any kind with the white space before it; a number at
 * the top ends with the byte after it, or with the input. A byte order mark may stand before it, and is no part of it. Keys
 * that would reach a prototype are refused.
 *
 * As text a value is what its sender wrote, without the white space between its tokens: no number goes through a
 * double, and of equal keys none is dropped. As a value it is what `JSON.parse` makes of it, and a number beyond every
 * double is refused, as it would become Infinity.
 */
import { SockpoolError } from '../../base/errors.ts'
import { choiceOption } from '../../base/options.ts'
import type { ConfiguredFormat, Cutter, CutterState, Decoder, Format } from './format.ts'
import { OnlyTextCutter } from './json-only-text.ts'
import { type JsonOptions, jsonOptions } from './json-options.ts'
import { quickJson } from './json-quick.ts'
import { type JsonBounds, JsonScanner, TEXT_BOUNDS, VALUE_BOUNDS } from './json-scanner.ts'
import { walkJson } from './json-walk.ts'
import type { TextOutput } from './text-sink.ts'
import { assertUtf8, markLength, utf8Text } from './utf8-text.ts'

export const json: Format = {
  name: 'json',
  configure(options: unknown): ConfiguredFormat {
    const { texts, ...asked } = jsonOptions('json', options, ['texts'])
    const isOnly = choiceOption('options.texts', texts, ['one', 'many']) === 'one'
    return { open: () => jsonDecoder(asked, isOnly), inPlace: true }
  },
}

function jsonDecoder(options: JsonOptions, isOnly: boolean): Decoder {
  const cutterOf =
    (bounds: JsonBounds) =>
    (saved?: CutterState): Cutter =>
      isOnly ? new OnlyTextCutter(bounds, saved) : new JsonScanner(bounds, saved)
  return {
    cutter: cutterOf(VALUE_BOUNDS),
    decode: message => {
      const quick = quickJson(message, options)
      return quick === null ? decodeJson(message, options) : quick.value
    },
    check: message => checkJson(message, options),
    text: { cutter: cutterOf(TEXT_BOUNDS), write: (message, sink) => writeJson(message, sink, options) },
  }
}

/**
 * The value of a JSON text that the scanner has passed.
 *
 * Errors: PARSE_FAILED for bytes that are not UTF-8, for `__proto__` keys and `constructor.prototype`, for equal keys where
 *   they are refused, and for numbers that no double holds.
 */
export function decodeJson(message: Buffer, options: JsonOptions): unknown {
  const whole = utf8Text(message)
  const quoted = new QuotedNumbers(message)
  walkJson(
    message,
    {
      number(from, to) {
        if (options.bigint === 'string' && isLargeWhole(message, from, to)) quoted.add(from, to)
        else assertDouble(message, from, to)
      },
    },
    options.duplicates,
  )
  return JSON.parse(quoted.in(whole))
}

/** Judges it as `decodeJson` does; false where that makes another value of it than JSON.parse. Errors: as that. */
export function checkJson(message: Buffer, { bigint, duplicates }: JsonOptions): boolean {
  if (bigint === 'string' || markLength(message) > 0) return false
  assertUtf8(message)
  walkJson(message, { number: (from, to) => assertDouble(message, from, to) }, duplicates)
  return true
}

/** Errors: PARSE_FAILED for a number that no double holds. */
function assertDouble(text: Buffer, from: number, to: number): void {
  // So few bytes reach no exponent that matters.
  if (to - from < 5 || Number.isFinite(Number(text.toString('latin1', from, to)))) return
  throw new SockpoolError('PARSE_FAILED', 'a number in the JSON text is larger than any double', {
    offset: from,
  })
}

/** Writes a JSON text that the scanner has passed, without its white space. Errors: as `decodeJson`, but for numbers. */
export function writeJson(message: Buffer, sink: TextOutput, options: JsonOptions): void {
  assertUtf8(message)
  let start = markLength(message)
  const upTo = (end: number, next: number): void => {
    sink.bytes(message.subarray(start, end))
    start = next
  }
  const quote = (from: number, to: number): void => {
    if (!isLargeWhole(message, from, to)) return
    upTo(from, from)
    sink.text('"')
    upTo(to, to)
    sink.text('"')
  }
  walkJson(
    message,
    { blank: upTo, ...(options.bigint === 'string' && { number: quote }) },
    options.duplicates,
  )
  sink.bytes(message.subarray(start))
}

/** A whole number without point and exponent that a double may not hold to the last digit. */
function isLargeWhole(text: Buffer, from: number, to: number): boolean {
  if (to - from < 16) return false
  const digits = text.toString('latin1', from, to)
  return /^-?\d+$/.test(digits) && !Number.isSafeInteger(Number(digits))
}

/** A JSON text, some of whose numbers are to be texts. */
class QuotedNumbers {
  readonly #message: Buffer
  readonly #pieces: string[] = []
  #done: number

  constructor(message: Buffer) {
    this.#message = message
    this.#done = markLength(message)
  }

  add(from: number, to: number): void {
    this.#pieces.push(this.#slice(this.#done, from), '"', this.#slice(from, to), '"')
    this.#done = to
  }

  /** `whole`: the text of all bytes. */
  in(whole: string): string {
    if (this.#pieces.length === 0) return this.#done === 0 ? whole : whole.slice(1)
    return `${this.#pieces.join('')}${this.#slice(this.#done, this.#message.length)}`
  }

  #slice(from: number, to: number): string {
    return this.#message.toString('utf8', from, to)
  }
}
