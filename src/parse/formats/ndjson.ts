/** JSON values, one a line. A line that holds only white space belongs to the message after it. */
import { SockpoolError } from '../../base/errors.ts'
import type { ConfiguredFormat, Cutter, CutterState, Decoder, Format } from './format.ts'
import { checkJson, decodeJson, writeJson } from './json.ts'
import { type JsonOptions, jsonOptions } from './json-options.ts'
import { quickJson } from './json-quick.ts'
import { isBlank, type JsonBounds, JsonScanner, TEXT_BOUNDS, VALUE_BOUNDS } from './json-scanner.ts'

const LF = 0x0a

export const ndjson: Format = {
  name: 'ndjson',
  configure(options: unknown): ConfiguredFormat {
    const asked = jsonOptions('ndjson', options)
    return { open: () => recordDecoder(asked), inPlace: true }
  },
}

function recordDecoder(options: JsonOptions): Decoder {
  const cutter = (saved?: CutterState): Cutter => new RecordCutter(saved)
  return {
    cutter,
    decode(message) {
      const quick = quickJson(message, options)
      if (quick !== null) return quick.value
      checkRecord(message, VALUE_BOUNDS)
      return decodeJson(message, options)
    },
    check(message) {
      if (quickJson(message, options) !== null) return true
      checkRecord(message, VALUE_BOUNDS)
      return checkJson(message, options)
    },
    text: {
      cutter,
      write(message, sink) {
        checkRecord(message, TEXT_BOUNDS)
        writeJson(message, sink, options)
      },
    },
  }
}

/** Cuts by the newline alone, so that a line that is wrong has an end too and can be told by its offset. */
class RecordCutter implements Cutter {
  #seen: number
  #begun: boolean

  constructor({ seen, begun }: CutterState = {}) {
    this.#seen = Number(seen ?? 0)
    this.#begun = begun === true
  }

  push(chunk: Uint8Array): number {
    let from = 0
    while (!this.#begun && from < chunk.length) {
      if (isBlank(chunk[from] ?? 0)) from += 1
      else this.#begun = true
    }
    // Buffer's search is memchr and takes any view.
    const index = this.#begun ? Buffer.prototype.indexOf.call(chunk, LF, from) : -1
    if (index !== -1) return this.#seen + index + 1
    this.#seen += chunk.length
    return 0
  }

  finish(): number | 'none' {
    return this.#begun ? this.#seen : 'none'
  }

  save(): CutterState {
    return { seen: this.#seen, begun: this.#begun }
  }
}

/** Errors: PARSE_FAILED for a line that is not one JSON value, PARSE_LIMIT. */
function checkRecord(message: Buffer, bounds: JsonBounds): void {
  const scanner = new JsonScanner(bounds)
  const length = scanner.push(message) || scanner.finish()
  if (typeof length === 'string')
    throw new SockpoolError('PARSE_FAILED', 'the line ends within its JSON value', { offset: message.length })
  const stray = message.subarray(length).findIndex(byte => !isBlank(byte))
  if (stray !== -1)
    throw new SockpoolError('PARSE_FAILED', 'the line holds more than one JSON value', {
      offset: length + stray,
    })
}
