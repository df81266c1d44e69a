/**
 * Lines of text in UTF-8. A line ends with `\n` or `\r\n`, which its value does not hold; any other `\r` stays. The
 * last line needs no end; after a last `\n` there is no further, empty line.
 */
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, Cutter, CutterState, Decoder, Format, TextForm } from './format.ts'
import { utf8Text } from './utf8-text.ts'

const LF = 0x0a
const CR = 0x0d

const text: TextForm = {
  cutter: saved => new LineCutter(saved),
  write: (message, sink) => sink.text(JSON.stringify(decodeLine(message))),
}

const decoder: Decoder = { cutter: saved => new LineCutter(saved), decode: decodeLine, text }

export const lines: Format = {
  name: 'lines',
  configure(options: unknown): ConfiguredFormat {
    closedOptions('lines', options, [])
    return { open: () => decoder, inPlace: true }
  },
}

class LineCutter implements Cutter {
  #seen: number

  constructor({ seen }: CutterState = {}) {
    this.#seen = Number(seen ?? 0)
  }

  push(chunk: Uint8Array): number {
    // Buffer's search is memchr and takes any view.
    const index = Buffer.prototype.indexOf.call(chunk, LF)
    if (index !== -1) return this.#seen + index + 1
    this.#seen += chunk.length
    return 0
  }

  finish(): number | 'none' {
    return this.#seen === 0 ? 'none' : this.#seen
  }

  save(): CutterState {
    return { seen: this.#seen }
  }
}

function decodeLine(message: Buffer): string {
  let end = message.length
  if (message[end - 1] === LF) {
    end -= 1
    if (message[end - 1] === CR) end -= 1
  }
  return utf8Text(message.subarray(0, end))
}
