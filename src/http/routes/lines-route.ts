/** The lines of a lease as they come, in one answer. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { pickType } from '../bytes/accept.ts'
import { type ByteEncoding, ByteEncodingSchema } from '../bytes/byte-text.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { READ_PROBLEMS } from '../document/problem-codes.ts'
import type { AppLimits } from '../ports.ts'
import { invalidField } from '../problems.ts'
import { LeaseLines } from '../streaming/lease-lines.ts'
import { LINE_TYPES, lineForm } from '../streaming/line-form.ts'
import { OutStream } from '../streaming/out-stream.ts'
import { SentLines } from '../streaming/sent-lines.ts'
import type { Calls } from './calls.ts'
import { sendOpenEnded } from './open-ended.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, CLOSED, LeaseParams, ProblemAnswer } from './schemas.ts'

const linesSchema = (limits: AppLimits) => ({
  tags: ['streams'],
  operationId: 'streamLines',
  summary: 'Stream the lines of a lease',
  description:
    'Each as it comes, without its end: `{"offset","line"}` as NDJSON; as events, whose `id` is the offset, and which go ' +
    'on behind `Last-Event-ID`; or as they are. A line that is no UTF-8 is base64, and its record says so. The last record ' +
    'says how the stream ended; plain text that was cut ends as a broken answer.',
  params: LeaseParams,
  headers: Type.Object({
    'last-event-id': Type.Optional(
      Type.String({ description: 'The `id` of the last event that the client has.', examples: ['0'] }),
    ),
  }),
  querystring: Type.Object(
    {
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: limits.bodyBytes, description: 'Bytes of a line at the most.' }),
      ),
      encoding: Type.Optional(ByteEncodingSchema),
    },
    CLOSED,
  ),
  response: {
    200: answer('Lines, for as long as they come.', {
      'application/x-ndjson': Type.Unsafe<unknown>({ examples: ['{"offset":0,"line":"hello"}\n'] }),
      'text/event-stream': Type.Unsafe<unknown>({ examples: ['id: 0\ndata: hello\n\n'] }),
      'text/plain': Type.Unsafe<unknown>({ examples: ['hello\n'] }),
    }),
    204: Type.Null({
      description: 'The client has all lines, and the stream has ended: it need not come again.',
    }),
    default: ProblemAnswer,
  },
})

export function linesRoute(calls: Calls): RouteTable {
  return {
    routes: [
      route({
        method: 'GET',
        url: '/v1/leases/:id/lines',
        // It takes the lines out of the stream.
        exposeHeadRoute: false,
        schema: linesSchema(calls.limits),
        problems: READ_PROBLEMS.filter(code => code !== 'READ_TIMEOUT'),
        run: (request, reply) => streamLines(calls, request, reply),
      }),
    ],
  }
}

type LinesRequest = FastifyRequest & {
  readonly params: { readonly id: string }
  readonly query: { readonly limit?: number; readonly encoding?: ByteEncoding }
}

/** Errors: LEASE_NOT_FOUND, LEASE_GONE, READ_BUSY, CONNECTION_RESET once, OFFSET_GONE, OFFSET_MISMATCH, INVALID_REQUEST. */
function streamLines(calls: Calls, request: LinesRequest, reply: FastifyReply): FastifyReply {
  const held = calls.leaseToRead(request)
  held.assertNotReading()
  const { reader } = held.lease
  const type = pickType(request.headers.accept, LINE_TYPES)
  const isEvents = type === 'text/event-stream'
  const sent = SentLines.of(held)
  const seen = isEvents ? lastEventId(request) : null
  const lost = seen === null ? [] : sent.after(seen, reader.offset)
  if (seen !== null && lost.length === 0 && reader.atEof()) return reply.code(204).send()
  const { limit, encoding } = request.query
  const out = new OutStream()
  const lines = new LeaseLines({
    held,
    out,
    form: lineForm(type, encoding),
    limit,
    signal: clientSignalOf(request),
    lost,
    onLine: line => {
      if (isEvents) sent.add(line)
    },
  })
  void lines.run()
  return sendOpenEnded(request, reply.type(type), out)
}

/** Errors: INVALID_REQUEST. */
function lastEventId(request: FastifyRequest): number | null {
  const id = request.headers['last-event-id']
  if (id === undefined || id === '') return null
  if (typeof id === 'string' && /^\d{1,16}$/.test(id)) return Number(id)
  throw invalidField('last-event-id', 'must be the id of an event of this stream, which is an offset')
}
