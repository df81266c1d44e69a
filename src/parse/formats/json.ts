/**
 * JSON texts, one after another. One message is one value of any kind with the white space before it; a number at
 * the top ends with the byte after it, or with the input. Keys that would reach a prototype are refused.
 */
import parse from 'secure-json-parse'
import { SockpoolError } from '../../base/errors.ts'
import { closedOptions } from './closed-options.ts'
import type { Decoder, Format } from './format.ts'
import { JsonScanner } from './json-scanner.ts'
import { utf8Text } from './utf8-text.ts'

export const json: Format = {
  name: 'json',
  configure(options: unknown): Decoder {
    closedOptions('json', options, [])
    return { cutter: () => new JsonScanner(), decode: decodeJson }
  },
}

/**
 * The value of a JSON text that the scanner has passed.
 *
 * Errors: PARSE_FAILED for bytes that are not UTF-8, and for `__proto__` keys and `constructor.prototype`.
 */
export function decodeJson(message: Buffer): unknown {
  const text = utf8Text(message)
  try {
    return parse(text, { protoAction: 'error', constructorAction: 'error' })
  } catch (error) {
    // The scanner has passed the grammar, so this is all that is left to refuse.
    throw new SockpoolError('PARSE_FAILED', 'the JSON text holds a forbidden prototype property', {
      offset: 0,
      cause: error,
    })
  }
}
