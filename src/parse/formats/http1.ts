/**
 * HTTP/1.1 responses, as the frame `http1` cuts them: strictly, so that no other reader of the same bytes finds another end.
 * What it has passed is taken apart by the same rules. Two parsers in JavaScript were looked at: http-parser-js takes a body of
 * `Transfer-Encoding: gzip, chunked` for one without chunks, and waits for a body of a 204 that has a Content-Length, where
 * the frame has found another end; Node's own needs a stream and an event loop, which stands still here.
 */
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { choiceOption } from '../../base/options.ts'
import { builtInFrame } from '../../frames/frames.ts'
import { type ByteForm, byteFormOption, byteValue } from './byte-values.ts'
import { closedOptions } from './closed-options.ts'
import type { ConfiguredFormat, Cutter, Decoder, Format } from './format.ts'
import { FrameCutter } from './frame-cutter.ts'
import { type Http1Head, type Http1Headers, readChunks, readHead } from './http1-parts.ts'
import { textOfValues } from './value-text.ts'

/** Of the request that is answered. To HEAD no body comes, nor behind a CONNECT that went well. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'] as const

type Method = (typeof METHODS)[number]

export type Http1Response = Http1Head & {
  readonly trailers: Http1Headers['headers']
  readonly rawTrailers: Http1Headers['rawHeaders']
  /** The answers before this one that said that it was to come: 100, 102, 103. */
  readonly interim: readonly Http1Head[]
  /** Without chunks. What a Content-Encoding says of it is still so. */
  readonly body: unknown
}

export const http1: Format = {
  name: 'http1',
  configure(options: unknown): ConfiguredFormat {
    const own = closedOptions('http1', options, ['encoding', 'method'])
    const form = byteFormOption(own.encoding)
    const method = (choiceOption('options.method', own.method, METHODS) ?? 'GET') as Method
    const cutting: Pick<Decoder, 'cutter' | 'decode'> = {
      cutter: () => cutterOf(method),
      decode: message => readResponse(message, method, form),
    }
    return { open: () => ({ ...cutting, text: textOfValues(cutting) }) }
  },
}

function cutterOf(method: Method): Cutter {
  const answers = builtInFrame('http1').answers()
  answers.asked({ taken: 0, length: 0, answers: 1, command: method, isExclusive: false })
  return new FrameCutter(answers)
}

/** Errors: PARSE_FAILED, PARSE_LIMIT. */
function readResponse(message: Buffer, method: Method, form: ByteForm): Http1Response {
  const interim: Http1Head[] = []
  let { head, end } = readHead(message, 0)
  for (; head.status < 200 && head.status !== 101; { head, end } = readHead(message, end)) {
    if (interim.length === LIMITS.http1InterimMax)
      throw new SockpoolError('PARSE_LIMIT', `more than ${LIMITS.http1InterimMax} interim answers`, {
        offset: end,
      })
    interim.push(head)
  }
  const { body, trailers } =
    hasBody(head.status, method) && head.headers['transfer-encoding']
      ? readChunks(message, end)
      : { body: message.subarray(end), trailers: { headers: {}, rawHeaders: [] } }
  return {
    ...head,
    trailers: trailers.headers,
    rawTrailers: trailers.rawHeaders,
    interim,
    body: byteValue(body, form),
  }
}

/** The frame knows by the same rules that the message ends with its head. */
function hasBody(status: number, method: Method): boolean {
  if (method === 'HEAD' || status === 101 || status === 204 || status === 304) return false
  return method !== 'CONNECT' || status >= 300
}
