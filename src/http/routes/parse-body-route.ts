/**
 * A body into values, in parse workers, which write the answer too. As JSON it is parsed when all of it is there. As NDJSON
 * it is parsed while it comes, and its values are sent while the rest of it is parsed, so that neither is held as a whole.
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { TextWrap } from '../../base/answer-form.ts'
import { SockpoolError } from '../../base/errors.ts'
import { beginParse, tracedParse } from '../../tracing/parse-span.ts'
import { pickType } from '../bytes/accept.ts'
import { BodyAhead } from '../bytes/body-ahead.ts'
import { registerStreamedBodies } from '../bytes/body-parsers.ts'
import { codingOf } from '../bytes/content-coding.ts'
import { GatheredBody } from '../bytes/gathered-body.ts'
import { checkRoomForAnswer, GrowingHold } from '../bytes/held-bytes.ts'
import { RequestBody, readBuffered } from '../bytes/request-body.ts'
import { principalOf } from '../door/principal.ts'
import { leaseOriginOf } from '../leases/lease-origin.ts'
import type { AppLimits, PoolPort } from '../ports.ts'
import { invalidField } from '../problems.ts'
import { OutStream } from '../streaming/out-stream.ts'
import { sendRecords } from '../streaming/record-answer.ts'
import { type RecordBatch, RecordSteps } from '../streaming/record-steps.ts'
import type { Calls, CallWait } from './calls.ts'
import { sendOpenEnded } from './open-ended.ts'
import { EXACT, FormatName, JSON_TYPE, PARSE_PROBLEMS, sendText } from './parse-routes.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, ProblemAnswer, timeoutMs } from './schemas.ts'

/** `{values: […]}` */
const VALUES: TextWrap = { before: '{"values":[', between: ',', end: '', after: ']}' }
const LINES: TextWrap = { before: '', between: '', end: '\n', after: '' }

const NDJSON_TYPE = 'application/x-ndjson'

const bodySchema = (limits: AppLimits) => ({
  tags: ['parse'],
  operationId: 'parse',
  summary: 'Parse the body',
  description:
    `The body is the bytes, whatever its content type, at most ${limits.bodyBytes} of them; a Content-Encoding of gzip, ` +
    'deflate, br or zstd is the option `decompress`. The other query fields are options of the format.\n\n' +
    'With `Accept: application/x-ndjson` the values are sent as they are found, one a line, and a body that is not compressed ' +
    `may have any length in formats whose values stand one behind another; ${limits.bodyBytes} bytes then bound each value, ` +
    'and `timeoutMs` each step of the parse. Such a client reads while it sends: of a longer body the rest is not taken in ' +
    'before what was answered is read. What is wrong with the bytes before the first values are sent is a problem as ever. ' +
    'After that the last line is `{"problem": {…}}`, with `offset` from the start of the body, and the answer breaks off ' +
    'without the end that HTTP has for it: curl exits with 18, `fetch` rejects the rest of the body.\n\n' +
    EXACT,
  body: answer('The bytes.', {
    'application/octet-stream': Type.Unsafe<unknown>({ examples: ['{"a":1}\n[2]\n'] }),
  }),
  params: Type.Object({ format: FormatName }),
  headers: Type.Object({
    'content-encoding': Type.Optional(
      Type.String({ description: 'What the body was compressed with.', examples: ['gzip'] }),
    ),
  }),
  querystring: Type.Object({ timeoutMs: timeoutMs(limits) }, { additionalProperties: true }),
  response: {
    200: answer('All values.', {
      'application/json': Type.Object(
        { values: Type.Array(Type.Unknown(), { examples: [[{ a: 1 }, [2]]] }) },
        { title: 'ParsedValues' },
      ),
      'application/x-ndjson': Type.Unsafe<unknown>({ examples: ['{"a":1}\n[2]\n'] }),
    }),
    default: ProblemAnswer,
  },
})

type ParseBodyPort = Pick<PoolPort, 'parseToText' | 'parsePart'>

/** `checkInput` judges a format and its options before the body is read. Errors: FORMAT_NOT_FOUND, INVALID_REQUEST. */
export function parseBodyRoute(
  calls: Calls,
  pool: ParseBodyPort,
  checkInput: (format: string, options: object) => void,
): RouteTable {
  return {
    readBodies: registerStreamedBodies,
    routes: [
      route({
        method: 'POST',
        url: '/v1/parse/:format',
        schema: bodySchema(calls.limits),
        problems: [...PARSE_PROBLEMS, 'UNSUPPORTED_MEDIA_TYPE'],
        run: async (request, reply) => {
          checkRoomForAnswer(request)
          const { timeoutMs, ...query } = request.query
          const { format } = request.params
          const coding = codingOf(request, reply)
          const options = withCoding(optionsOf(query), coding)
          checkInput(format, options)
          const call = { ...calls.waitOf(request, timeoutMs), tenant: principalOf(request).tenant }
          reply.header('vary', 'accept')
          const isLines = pickType(request.headers.accept, ['application/json', NDJSON_TYPE]) === NDJSON_TYPE
          const parse = new BodyParse(pool, format, options, call, calls.limits.bodyBytes)
          if (isLines && !('decompress' in options)) return await parse.sendLines(request, reply)
          const bytes = await gathered(request)
          const answer = (): Promise<FastifyReply> => parse.sendAll(bytes, isLines, reply)
          return await tracedParse({ format, said: leaseOriginOf(request), bytes: bytes.length }, answer)
        },
      }),
    ],
  }
}

type ParseCallWait = CallWait & { readonly tenant: string }

/** One parse of a body. */
class BodyParse {
  readonly #pool: ParseBodyPort
  readonly #format: string
  readonly #options: object
  readonly #call: ParseCallWait
  readonly #bytesMax: number
  /** What broke off the values that are sent while the body comes, or null; once all are sent. */
  #sending: Promise<unknown> = Promise.resolve(null)

  constructor(pool: ParseBodyPort, format: string, options: object, call: ParseCallWait, bytesMax: number) {
    this.#pool = pool
    this.#format = format
    this.#options = options
    this.#call = call
    this.#bytesMax = bytesMax
  }

  /** Answers the values of the whole body, when all are there. */
  async sendAll(bytes: Buffer, isLines: boolean, reply: FastifyReply): Promise<FastifyReply> {
    const wrap = isLines ? LINES : VALUES
    const text = await this.#pool.parseToText(this.#format, bytes, wrap, this.#options, this.#call)
    return sendText(reply, isLines ? NDJSON_TYPE : JSON_TYPE, text)
  }

  /** Answers the values as lines while the body comes. The span of the parse ends with the last of them. */
  async sendLines(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const span = beginParse({ format: this.#format, said: leaseOriginOf(request) })
    if (span === null) return await this.#sendLines(request, reply)
    try {
      const answer = await this.#sendLines(request, reply)
      void this.#sending.then(failure => (failure === null ? span.end(null) : span.fail(failure)))
      return answer
    } catch (error) {
      span.fail(error)
      throw error
    }
  }

  async #sendLines(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { signal } = this.#call
    const hold = new GrowingHold(request)
    const declared = Number(request.headers['content-length'] ?? 0)
    const ahead = new BodyAhead(bodyOf(request, signal), {
      gatherMax: declared > this.#bytesMax ? 0 : this.#bytesMax,
      mayHold: bytes => hold.tryCover(bytes),
    })
    const steps = new RecordSteps({
      ahead,
      signal,
      step: part => this.#pool.parsePart(this.#format, part, this.#options, this.#call),
      hold: bytes => hold.cover(bytes),
    })
    let isSending = false
    try {
      const first = await steps.next()
      if (first.kind === 'whole')
        return await this.sendAll(await this.#gatherRest(first, ahead, hold), true, reply)
      if (first.failure !== null) throw first.failure
      if (first.isLast) return sendText(reply, NDJSON_TYPE, joined(first.texts))
      isSending = true
      const out = new OutStream()
      this.#sending = sendRecords(first, { request, steps, ahead, out, signal })
      return sendOpenEnded(request, reply.type(NDJSON_TYPE), out)
    } finally {
      if (!isSending) ahead.stop()
    }
  }

  /** The whole body, of which some was taken in pieces. Errors: BODY_TOO_LARGE, QUEUE_FULL, those of the body. */
  async #gatherRest(
    { pieces: begun, isLast: isWhole }: Extract<RecordBatch, { kind: 'whole' }>,
    ahead: BodyAhead,
    hold: GrowingHold,
  ): Promise<Buffer> {
    const body = new GatheredBody(this.#bytesMax)
    const add = (pieces: readonly Uint8Array[]): void => {
      for (const { buffer, byteOffset, length } of pieces) {
        hold.cover(body.length + length)
        if (body.length + length > this.#bytesMax)
          throw new SockpoolError('BODY_TOO_LARGE', `the body is larger than ${this.#bytesMax} bytes`)
        body.add(Buffer.from(buffer, byteOffset, length))
      }
    }
    add(begun)
    for (let isLast = isWhole; !isLast; ) {
      await ahead.more(1)
      const taken = ahead.take()
      add(taken.pieces)
      isLast = taken.isLast
    }
    return body.takeAll()
  }
}

function bodyOf(request: FastifyRequest, signal: AbortSignal): RequestBody | null {
  return request.body ? new RequestBody(request.body as IncomingMessage, signal) : null
}

async function gathered(request: FastifyRequest): Promise<Buffer> {
  if (!request.body) return Buffer.alloc(0)
  return await readBuffered(request, request.body as IncomingMessage)
}

/** The text of a small answer, which has its length. */
function joined(texts: readonly Uint8Array[]): Uint8Array {
  const [only] = texts
  return texts.length === 1 && only !== undefined ? only : Buffer.concat(texts)
}

/** The header and the option may both be there, and then say the same. Errors: INVALID_REQUEST. */
function withCoding(options: Record<string, unknown>, coding: string | null): Record<string, unknown> {
  if (coding === null) return options
  const { decompress = coding } = options
  if (decompress !== coding) throw invalidField('decompress', `is not what Content-Encoding says: ${coding}`)
  return { ...options, decompress }
}

/** Options come as text and become what they look like; what the format makes of them is its business. */
function optionsOf(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, typed(value)]))
}

function typed(value: unknown): unknown {
  if (value === 'true' || value === 'false') return value === 'true'
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
}
