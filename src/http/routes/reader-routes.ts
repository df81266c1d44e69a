/**
 * asyncio.StreamReader over HTTP. One read at a time for each lease. A read that fails takes nothing, unless its
 * problem carries the bytes; and its problem always counts what moved.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type TProperties, Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { FRAME_NAMES } from '../../frames/frame-spec.ts'
import { judgeFrame } from '../../frames/judge-frame.ts'
import type { ReadOptions } from '../../streams/reading/read-options.ts'
import { parseSeparators } from '../../streams/reading/separator-search.ts'
import { registerOptionalJsonBodies } from '../bytes/body-parsers.ts'
import { sendBytes } from '../bytes/byte-answer.ts'
import { type ByteEncoding, ByteEncodingSchema, bytesOf } from '../bytes/byte-text.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { READ_PROBLEMS } from '../document/problem-codes.ts'
import type { AppLimits, LeasePort, ReaderPort } from '../ports.ts'
import { invalidField, NOTHING_MOVED } from '../problems.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { bytesAnswer, CLOSED, LeaseParams, ProblemAnswer, readOffset, timeoutMs } from './schemas.ts'

const ReadAnswers = { 200: bytesAnswer(), default: ProblemAnswer }

const readSchema = (limits: AppLimits) =>
  schemaOf(
    limits,
    {
      n: Type.Optional(
        Type.Integer({ minimum: -1, description: 'Bytes at the most; -1 is all of them.', examples: [4] }),
      ),
    },
    'read',
    'Read up to n bytes',
    'As soon as one byte is there. Without n, or with -1, everything until EOF, at most `limit` bytes; past ' +
      'that 413, and the bytes stay readable. Empty at EOF and for n=0.',
  )

const readLineSchema = (limits: AppLimits) =>
  schemaOf(limits, {}, 'readLine', 'Read one line', 'With its newline; at EOF what is left.')

const readExactlySchema = (limits: AppLimits) =>
  schemaOf(
    limits,
    {
      n: Type.Integer({ minimum: 0, maximum: limits.bodyBytes, description: 'Bytes.', examples: [4] }),
    },
    'readExactly',
    'Read exactly n bytes',
    'EOF before that is 502 incomplete_read, with the bytes in `partial`.',
  )

const readUntilSchema = (limits: AppLimits) =>
  schemaOf(
    limits,
    {
      separator: Type.Optional(
        Type.Array(Type.String(), { description: 'Repeatable; default a newline.', examples: [['\n']] }),
      ),
      separatorEncoding: Type.Optional(ByteEncodingSchema),
    },
    'readUntil',
    'Read until a separator',
    'Up to and including the separator that ends first.',
  )

const readFrameSchema = (limits: AppLimits) => ({
  ...schemaOf(
    limits,
    {
      frame: Type.Optional(
        Type.String({
          description: `Default: the target's own. ${FRAME_NAMES.join(' · ')}`,
          examples: ['line'],
        }),
      ),
    },
    'readFrame',
    'Read one message',
    'As its frame ends it, at most 16 MiB. A frame that is described by an object stands in the body. Bytes that are no ' +
      'such message are 502 frame_broken, longer ones 413 limit_overrun; both close the connection.',
  ),
  body: Type.Object(
    {
      frame: Type.Optional(
        Type.Unknown({ description: 'In place of `frame` in the query: by its name, or described.' }),
      ),
    },
    { ...CLOSED, examples: [{ frame: { delimiter: '\n', max: 65_536 } }] },
  ),
})

/** A read: the fields that all reads take in their query, and its own. */
function schemaOf<Own extends TProperties>(
  limits: AppLimits,
  own: Own,
  operationId: string,
  summary: string,
  description: string,
) {
  const common = {
    timeoutMs: timeoutMs(limits),
    limit: integer(1, limits.bodyBytes, 'Bytes before the separator, or of a read to EOF, at the most.'),
    offset: readOffset(),
    encoding: Type.Optional(ByteEncodingSchema),
  }
  return {
    tags: ['reader'],
    operationId,
    summary,
    description,
    params: LeaseParams,
    response: ReadAnswers,
    querystring: Type.Object({ ...common, ...own }, CLOSED),
  }
}

function integer(minimum: number, maximum: number, description: string) {
  return Type.Optional(Type.Integer({ minimum, maximum, description }))
}

export function readerRoutes(calls: Calls): RouteTable {
  const { limits } = calls
  return {
    readBodies: registerOptionalJsonBodies,
    bodyBytesMax: calls.controlBodyBytesMax,
    counts: NOTHING_MOVED,
    routes: [
      route({
        method: 'POST',
        url: '/v1/leases/:id/read',
        schema: readSchema(limits),
        problems: [...READ_PROBLEMS, 'LIMIT_OVERRUN'],
        run: (request, reply) => read(calls, 'read', request, reply, upTo(request.query.n, limits.bodyBytes)),
      }),
      route({
        method: 'POST',
        url: '/v1/leases/:id/readline',
        schema: readLineSchema(limits),
        problems: [...READ_PROBLEMS, 'LIMIT_OVERRUN'],
        run: (request, reply) =>
          read(calls, 'readline', request, reply, (reader, options) => reader.readLine(options)),
      }),
      route({
        method: 'POST',
        url: '/v1/leases/:id/readexactly',
        schema: readExactlySchema(limits),
        problems: [...READ_PROBLEMS, 'INCOMPLETE_READ'],
        run: (request, reply) => {
          const { n } = request.query
          return read(calls, 'readexactly', request, reply, (reader, options) =>
            reader.readExactly(n, options),
          )
        },
      }),
      readUntilRoute(calls),
      readFrameRoute(calls),
    ],
  }
}

function readUntilRoute(calls: Calls): RouteTable['routes'][number] {
  return route({
    method: 'POST',
    url: '/v1/leases/:id/readuntil',
    schema: readUntilSchema(calls.limits),
    problems: [...READ_PROBLEMS, 'INVALID_SEPARATOR', 'LIMIT_OVERRUN', 'INCOMPLETE_READ'],
    run: (request, reply) => {
      const { separator = ['\n'], separatorEncoding = 'utf8' } = request.query
      const separators = parseSeparators(separator.map(text => bytesOf(text, separatorEncoding, 'separator')))
      return read(calls, 'readuntil', request, reply, (reader, options) =>
        reader.readUntil(separators, options),
      )
    },
  })
}

function readFrameRoute(calls: Calls): RouteTable['routes'][number] {
  return route({
    method: 'POST',
    url: '/v1/leases/:id/readframe',
    schema: readFrameSchema(calls.limits),
    problems: [...READ_PROBLEMS, 'LIMIT_OVERRUN', 'INCOMPLETE_READ', 'FRAME_BROKEN'],
    run: (request, reply) => {
      const frame = frameOf(request.query.frame, request.body.frame)
      const named = frame === undefined ? undefined : judgeFrame(frame, 'frame', 'caller')
      return read(calls, 'readframe', request, reply, (reader, options) => reader.readFrame(named, options))
    },
  })
}

/** What one of the two says. Errors: INVALID_REQUEST where both do. */
function frameOf(inQuery: string | undefined, inBody: unknown): unknown {
  if (inQuery === undefined) return inBody
  if (inBody !== undefined) throw invalidField('frame', 'is in the query and in the body')
  return inQuery
}

/**
 * Takes what is there, up to n bytes, and no more than can be read again where the lease keeps some; without n everything
 * until EOF, as far as `bytesMax` bytes.
 */
function upTo(n = -1, bytesMax: number): Take {
  if (n >= 0) {
    const bytes = Math.min(n, bytesMax)
    return (reader, options, { replay }) =>
      reader.read(replay ? Math.min(bytes, LIMITS.replayWindowBytes) : bytes, options)
  }
  return (reader, options) => reader.read(-1, { ...options, limit: options.limit ?? bytesMax })
}

type ReadRequest = FastifyRequest & {
  readonly params: { readonly id: string }
  readonly query: {
    readonly timeoutMs?: number
    readonly limit?: number
    readonly offset?: number
    readonly encoding?: ByteEncoding
  }
}

type Take = (reader: ReaderPort, options: ReadOptions, lease: Pick<LeasePort, 'replay'>) => Promise<Buffer>

/**
 * Runs one read of the lease, from the offset that it names, and answers its bytes.
 *
 * Errors: READ_BUSY, CONNECTION_RESET once, OFFSET_MISMATCH, OFFSET_GONE, QUEUE_FULL where the caller leaves its answers
 * unread, those of `take`.
 */
async function read(
  calls: Calls,
  name: string,
  request: ReadRequest,
  reply: FastifyReply,
  take: Take,
): Promise<FastifyReply> {
  const { timeoutMs, limit, offset: wanted, encoding } = request.query
  const held = calls.leaseToRead(request)
  checkRoomForAnswer(request)
  const { lease } = held
  const wait = calls.waitOf(request, timeoutMs)
  const result = await held.readFrom(name, wanted, wait, left => {
    const offset = wanted ?? lease.reader.offset
    return lease.readAt(offset, async reader => {
      const bytes = await take(reader, { ...left, limit }, lease)
      const end = reader.buffered === 0 ? reader.ending : null
      return { bytes, offset, eof: reader.atEof(), end }
    })
  })
  return sendBytes(result, encoding, request, reply)
}
