/** Takes the head and the body of an HTTP/1.1 response apart that a frame has passed, so that each line is what it should be. */
import { SockpoolError } from '../../base/errors.ts'

export type Http1Headers = {
  /** By names in lower case; each has the list of its values, in the order in which they were sent. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[]
}

export type Http1Head = Http1Headers & {
  readonly version: '1.0' | '1.1'
  readonly status: number
  readonly reason: string
}

const LINE_END = '\r\n'
const SECTION_END = '\r\n\r\n'

/** The head that begins at a place, and the place behind it. Errors: PARSE_FAILED for a field that no object may have. */
export function readHead(message: Buffer, from: number): { readonly head: Http1Head; readonly end: number } {
  const fields = message.indexOf(LINE_END, from) + LINE_END.length
  // HTTP/1.1 200 OK
  const line = message.toString('latin1', from, fields - LINE_END.length)
  const { end, ...headers } = readFields(message, fields)
  const version = line.slice(5, 8) === '1.0' ? '1.0' : '1.1'
  return { head: { version, status: Number(line.slice(9, 12)), reason: line.slice(13), ...headers }, end }
}

/** The fields from a place to the empty line behind them. */
function readFields(message: Buffer, from: number): Http1Headers & { readonly end: number } {
  const headers: Record<string, string[]> = {}
  const rawHeaders: string[] = []
  // The line's end in front of them is the first half of an empty section's end.
  const end = message.indexOf(SECTION_END, from - LINE_END.length)
  for (let at = from; at < end; ) {
    const lineEnd = message.indexOf(LINE_END, at)
    // As Node does: what is no ASCII is a character for each byte.
    const line = message.toString('latin1', at, lineEnd)
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    const key = name.toLowerCase()
    if (key === '__proto__')
      throw new SockpoolError('PARSE_FAILED', 'a field is named __proto__', { offset: at })
    const value = withoutBlanks(line, colon + 1)
    rawHeaders.push(name, value)
    if (Object.hasOwn(headers, key)) headers[key]?.push(value)
    else headers[key] = [value]
    at = lineEnd + LINE_END.length
  }
  return { headers, rawHeaders, end: end + SECTION_END.length }
}

/** Spaces and tabs around a value are none of it. Any other white space is a part of the value. */
function withoutBlanks(line: string, from: number): string {
  let [start, end] = [from, line.length]
  while (start < end && isBlank(line[start])) start += 1
  while (end > start && isBlank(line[end - 1])) end -= 1
  return line.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

/** The data of a body in chunks, and its trailers. */
export function readChunks(
  message: Buffer,
  from: number,
): { readonly body: Buffer; readonly trailers: Http1Headers } {
  const body = Buffer.allocUnsafeSlow(message.length - from)
  let length = 0
  for (let at = from; ; ) {
    const data = message.indexOf(LINE_END, at) + LINE_END.length
    // An extension of the chunk, behind a semicolon, ends the number.
    const size = Number.parseInt(message.toString('latin1', at, data), 16)
    if (size === 0) {
      const { headers, rawHeaders } = readFields(message, data)
      return { body: body.subarray(0, length), trailers: { headers, rawHeaders } }
    }
    length += message.copy(body, length, data, data + size)
    at = data + size + LINE_END.length
  }
}
