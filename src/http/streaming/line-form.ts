/** How lines, and their end, are written: as JSON records, as events, or as they came. */
import type { StreamEnding } from '../../streams/byte-source.ts'
import { type ByteEncoding, textOf } from '../bytes/byte-text.ts'
import { toProblem } from '../problems.ts'
import { COMMENT, eventText } from './event-text.ts'

/** In the order of preference. */
export const LINE_TYPES = ['application/x-ndjson', 'text/event-stream', 'text/plain'] as const

export type LineType = (typeof LINE_TYPES)[number]

/** The end of the lines: how the stream ended, or what ended it otherwise. */
export type LinesEnd =
  | { readonly kind: 'end'; readonly how: StreamEnding | null }
  | { readonly kind: 'failed'; readonly error: unknown }

export interface LineForm {
  /** A line as it was read, and the stream offset of its first byte. */
  line(offset: number, bytes: Buffer): string | Buffer
  /** The last record; null where the form has none, so that only a whole answer may look like one. */
  end(offset: number, end: LinesEnd): string | null
  /** What is written while nothing comes; null where nothing may be. */
  readonly comment: string | null
}

export function lineForm(type: LineType, encoding: ByteEncoding | undefined): LineForm {
  switch (type) {
    case 'application/x-ndjson':
      return records(encoding)
    case 'text/event-stream':
      return events(encoding)
    case 'text/plain':
      return { line: (_offset, bytes) => bytes, end: () => null, comment: null }
    default:
      return type satisfies never
  }
}

function records(wish: ByteEncoding | undefined): LineForm {
  return {
    line: (offset, bytes) => {
      const { data, encoding } = textOf(withoutEnd(bytes), wish)
      return `${JSON.stringify({ offset, line: data, ...(encoding !== 'utf8' && { encoding }) })}\n`
    },
    end: (offset, end) => `${JSON.stringify({ offset, ...wordsOf(end) })}\n`,
    comment: null,
  }
}

/** A line that no event can carry as it is, by its bytes or a lone carriage return, is an event of its encoding's name. */
function events(wish: ByteEncoding | undefined): LineForm {
  return {
    line: (offset, bytes) => {
      const plain = withoutEnd(bytes)
      const { data, encoding } = textOf(plain, wish ?? (plain.includes(CR) ? 'base64' : undefined))
      return eventText({ id: offset, data, ...(encoding !== 'utf8' && { event: encoding }) })
    },
    end: (offset, end) => {
      const data = JSON.stringify({ offset, ...wordsOf(end) })
      return eventText({ id: offset, event: end.kind === 'end' ? 'end' : 'problem', data })
    },
    comment: COMMENT,
  }
}

function wordsOf(end: LinesEnd): object {
  return end.kind === 'end' ? { end: end.how } : { problem: toProblem(end.error).body }
}

const LF = 0x0a
const CR = 0x0d

/** A line ends with `\n` or `\r\n`, which are no part of it; the last one of a stream may have no end. */
function withoutEnd(line: Buffer): Buffer {
  let end = line.length
  if (line[end - 1] === LF) {
    end -= 1
    if (line[end - 1] === CR) end -= 1
  }
  return line.subarray(0, end)
}
