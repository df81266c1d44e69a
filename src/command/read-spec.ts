/** How the end of a reply is told on the command line: `line`, `until:SEP`, `exactly:N`, `eof`, `none`, `frame[:NAME]`,
 * `frames:N`. */
import { isUtf8 } from 'node:buffer'
import { FRAME_NAMES, type FrameName } from '../frames/frame-spec.ts'
import { CommandError } from './command-error.ts'

export type ReadOption =
  | { readonly line: true }
  | { readonly until: readonly Buffer[] }
  | { readonly exactly: number }
  | { readonly eof: true }
  | { readonly none: true }
  | { readonly frame: FrameName | true }
  | { readonly frames: number }

const ESCAPES = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['0', '\0'],
  ['\\', '\\'],
])

/**
 * Reads the text of `--read`. In SEP, `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH` stand for their bytes, since a
 * shell passes none of them on easily.
 *
 * Errors: CommandError with exit code 2.
 */
export function parseReadSpec(text: string): ReadOption {
  const colon = text.indexOf(':')
  const word = colon < 0 ? text : text.slice(0, colon)
  const argument = colon < 0 ? null : text.slice(colon + 1)
  if (argument === null) {
    if (word === 'line') return { line: true }
    if (word === 'eof') return { eof: true }
    if (word === 'none') return { none: true }
    if (word === 'frame') return { frame: true }
  } else if (argument !== '') {
    if (word === 'until') return { until: [decodeEscapes(argument)] }
    if (word === 'exactly' && /^\d{1,10}$/.test(argument)) return { exactly: Number(argument) }
    const name = word === 'frame' ? FRAME_NAMES.find(known => known === argument) : undefined
    if (name !== undefined) return { frame: name }
    if (word === 'frames' && /^[1-9]\d{0,9}$/.test(argument)) return { frames: Number(argument) }
  }
  throw new CommandError(
    2,
    `--read must be line, until:SEP, exactly:N, eof, none, frame, frame:NAME or frames:N, not ${JSON.stringify(text)}`,
  )
}

/**
 * The same as the HTTP API's JSON takes it.
 *
 * Errors: CommandError with exit code 2 for a separator that is no UTF-8, which JSON cannot carry.
 */
export function readSpecJson(spec: ReadOption): unknown {
  if ('none' in spec) return 'none'
  if ('frame' in spec && spec.frame === true) return 'frame'
  if (!('until' in spec)) return spec
  if (spec.until.every(separator => isUtf8(separator)))
    return { until: spec.until.map(separator => separator.toString('utf8')) }
  throw new CommandError(2, '--read: over --url the separator of until must be UTF-8')
}

function decodeEscapes(text: string): Buffer {
  const pieces = text.match(/\\x[0-9A-Fa-f]{2}|\\[nrt0\\]|[\s\S]/gu) ?? []
  return Buffer.concat(
    pieces.map(piece => {
      if (piece.startsWith('\\x')) return Buffer.from(piece.slice(2), 'hex')
      return Buffer.from(
        piece.length === 2 && piece[0] === '\\' ? (ESCAPES.get(piece[1] ?? '') ?? piece) : piece,
      )
    }),
  )
}
