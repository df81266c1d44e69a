/**
 * asyncio.StreamReader over HTTP. One read at a time for each lease; a read that fails takes nothing unless its
 * problem carries the bytes, and its problem always counts what moved.
 */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { parseSeparators } from '../../streams/reading/separator-search.ts'
import { sendBytes } from '../bytes/byte-answer.ts'
import { type ByteEncoding, ByteEncodingSchema, bytesOf } from '../bytes/byte-text.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { registerJsonBodies } from '../bytes/request-body.ts'
import { principalOf } from '../door/principal.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { AppLimits, AppParts, LeaseReader, ReadOptions } from '../parts.ts'
import { problemHandler } from '../problems.ts'
import { bytesAnswer, LeaseParams, ProblemAnswer, timeoutMs } from './schemas.ts'

const CLOSED = { additionalProperties: false }

interface CommonQuery {
  readonly timeoutMs?: number
  readonly limit?: number
  readonly offset?: number
  readonly encoding?: ByteEncoding
}

type ReadRequest = FastifyRequest & { params: { id: string }; query: CommonQuery }

type Take = (reader: LeaseReader, options: ReadOptions) => Promise<Buffer>

export function readerRoutes(parts: AppParts, table: LeaseTable): FastifyPluginCallbackTypebox {
  const { limits } = parts
  const common = commonQuery(limits)
  const response = { 200: bytesAnswer(), default: ProblemAnswer }
  const route = (summary: string, description: string): object => ({
    tags: ['reader'],
    summary,
    description,
    params: LeaseParams,
    response,
  })

  const read = async (
    name: string,
    request: FastifyRequest,
    reply: FastifyReply,
    take: Take,
  ): Promise<FastifyReply> => {
    const { params, query } = request as ReadRequest
    const held = table.find(params.id, principalOf(request).tenant)
    const { reader } = held.lease
    const options = {
      signal: clientSignalOf(request),
      timeoutMs: query.timeoutMs ?? limits.operationTimeoutMs,
      ...(query.limit !== undefined && { limit: query.limit }),
    }
    const result = await held.read(name, async () => {
      checkOffset(query.offset, reader.offset)
      const offset = reader.offset
      const bytes = await take(reader, options)
      return { bytes, offset, eof: reader.atEof() }
    })
    return sendBytes(result, query.encoding, request, reply)
  }

  return (app, _options, done) => {
    registerJsonBodies(app)
    app.setErrorHandler(problemHandler({ bytesDelivered: 0, bytesAccepted: 0 }))

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/read',
      schema: {
        ...route(
          'Read up to n bytes',
          'As soon as one byte is there. Without n, or with -1, everything until EOF, at most `limit` bytes; past ' +
            'that 413, and the bytes stay readable. Empty at EOF and for n=0.',
        ),
        querystring: Type.Object({ ...common, n: Type.Optional(Type.Integer({ minimum: -1 })) }, CLOSED),
      },
      handler: (request, reply) => {
        const { n = -1 } = request.query
        return read('read', request, reply, (reader, options) =>
          n < 0
            ? reader.read(-1, { ...options, limit: options.limit ?? limits.bodyBytes })
            : reader.read(Math.min(n, limits.bodyBytes), options),
        )
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/readline',
      schema: {
        ...route('Read one line', 'With its newline; at EOF what is left.'),
        querystring: Type.Object(common, CLOSED),
      },
      handler: (request, reply) =>
        read('readline', request, reply, (reader, options) => reader.readLine(options)),
    })

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/readexactly',
      schema: {
        ...route(
          'Read exactly n bytes',
          'EOF before that is 502 incomplete_read, with the bytes in `partial`.',
        ),
        querystring: Type.Object(
          { ...common, n: Type.Integer({ minimum: 0, maximum: limits.bodyBytes }) },
          CLOSED,
        ),
      },
      handler: (request, reply) =>
        read('readexactly', request, reply, (reader, options) =>
          reader.readExactly(request.query.n, options),
        ),
    })

    app.route({
      method: 'POST',
      url: '/v1/leases/:id/readuntil',
      schema: {
        ...route('Read until a separator', 'Up to and including the separator that ends first.'),
        querystring: Type.Object(
          {
            ...common,
            separator: Type.Optional(
              Type.Array(Type.String(), {
                description: 'Repeatable; default a newline.',
              }),
            ),
            separatorEncoding: Type.Optional(ByteEncodingSchema),
          },
          CLOSED,
        ),
      },
      handler: (request, reply) => {
        const { separator = ['\n'], separatorEncoding = 'utf8' } = request.query
        const separators = parseSeparators(
          separator.map(text => bytesOf(text, separatorEncoding, 'separator')),
        )
        return read('readuntil', request, reply, (reader, options) => reader.readUntil(separators, options))
      },
    })
    done()
  }
}

const integer = (minimum: number, maximum: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, description }))

function commonQuery(limits: AppLimits) {
  return {
    timeoutMs: timeoutMs(limits),
    limit: integer(1, limits.bodyBytes, 'Bytes before the separator, or of a read to EOF, at the most.'),
    offset: integer(0, Number.MAX_SAFE_INTEGER, 'Stream offset at which this read is meant to start.'),
    encoding: Type.Optional(ByteEncodingSchema),
  }
}

/** A read that names its start takes place there or not at all. Bytes that were read are not kept. */
function checkOffset(wanted: number | undefined, offset: number): void {
  if (wanted === undefined || wanted === offset) return
  if (wanted > offset)
    throw new SockpoolError('OFFSET_MISMATCH', `the next byte is ${offset}, not yet ${wanted}`, { offset })
  throw new SockpoolError('OFFSET_GONE', `the bytes before ${offset} are gone`, { offset })
}
