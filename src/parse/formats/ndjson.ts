/** JSON values, one a line. A line that holds only white space belongs to the message after it. */
import { SockpoolError } from '../../base/errors.ts'
import { closedOptions } from './closed-options.ts'
import type { Cutter, Decoder, Format } from './format.ts'
import { decodeJson } from './json.ts'
import { isBlank, JsonScanner } from './json-scanner.ts'

const LF = 0x0a

export const ndjson: Format = {
  name: 'ndjson',
  configure(options: unknown): Decoder {
    closedOptions('ndjson', options, [])
    return { cutter: () => new RecordCutter(), decode: decodeRecord }
  },
}

/** Cuts by the newline alone, so that a line that is wrong has an end too and can be told by its offset. */
class RecordCutter implements Cutter {
  #seen = 0
  #begun = false

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
}

function decodeRecord(message: Buffer): unknown {
  const scanner = new JsonScanner()
  const length = scanner.push(message) || scanner.finish()
  if (typeof length === 'string')
    throw new SockpoolError('PARSE_FAILED', 'the line ends within its JSON value', { offset: message.length })
  const stray = message.subarray(length).findIndex(byte => !isBlank(byte))
  if (stray !== -1)
    throw new SockpoolError('PARSE_FAILED', 'the line holds more than one JSON value', {
      offset: length + stray,
    })
  return decodeJson(message)
}
