/**
 * JSON texts, one after another. One message is one value of any kind with the white space before it; a number at
 * the top ends with the byte after it, or with the input. Keys that would reach a prototype are refused.
 *
 * As text a value is what its sender wrote, without the white space between its tokens: no number goes through a
 * double, and of equal keys none is dropped. As a value it is what `JSON.parse` makes of it, and a number beyond every
 * double is refused, as it would become Infinity.
 */
import { SockpoolError } from '../../base/errors.ts'
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, CutterState, Decoder, Format, TextForm } from './format.ts'
import { JsonScanner, TEXT_BOUNDS, VALUE_BOUNDS } from './json-scanner.ts'
import { walkJson } from './json-walk.ts'
import type { TextOutput } from './text-sink.ts'
import { assertUtf8, utf8Text } from './utf8-text.ts'

const text: TextForm = {
  cutter: (saved?: CutterState) => new JsonScanner(TEXT_BOUNDS, saved),
  write: writeJson,
}

const decoder: Decoder = { cutter: saved => new JsonScanner(VALUE_BOUNDS, saved), decode: decodeJson, text }

export const json: Format = {
  name: 'json',
  configure(options: unknown): ConfiguredFormat {
    closedOptions('json', options, [])
    return { open: () => decoder }
  },
}

/**
 * The value of a JSON text that the scanner has passed.
 *
 * Errors: PARSE_FAILED for bytes that are not UTF-8, for `__proto__` keys and `constructor.prototype`, and for numbers
 *   that no double holds.
 */
export function decodeJson(message: Buffer): unknown {
  const whole = utf8Text(message)
  walkJson(message, {
    number(from, to) {
      // So few bytes reach no exponent that matters.
      if (to - from < 5 || Number.isFinite(Number(message.toString('latin1', from, to)))) return
      throw new SockpoolError('PARSE_FAILED', 'a number in the JSON text is larger than any double', {
        offset: from,
      })
    },
  })
  return JSON.parse(whole)
}

/** Writes a JSON text that the scanner has passed, without its white space. Errors: as `decodeJson`, but for numbers. */
export function writeJson(message: Buffer, sink: TextOutput): void {
  assertUtf8(message)
  let start = 0
  walkJson(message, {
    blank(from, to) {
      sink.bytes(message.subarray(start, from))
      start = to
    },
  })
  sink.bytes(message.subarray(start))
}
