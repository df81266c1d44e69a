/**
 * The next message of a lease as a value, made in a parse worker. The worker writes the answer too, and this thread sends its
 * bytes as they are.
 */
import type { FastifyReply } from 'fastify'
import { type TString, Type } from 'typebox'
import type { TextWrap } from '../../base/answer-form.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { FORMAT_NAMES } from '../../parse/formats/registry.ts'
import { tracedParse } from '../../tracing/parse-span.ts'
import { registerJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { READ_PROBLEMS } from '../document/problem-codes.ts'
import { leaseOriginOf } from '../leases/lease-origin.ts'
import type { AppLimits, PoolPort } from '../ports.ts'
import { NOTHING_MOVED } from '../problems.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { CLOSED, LeaseParams, ProblemAnswer, readOffset, timeoutMs } from './schemas.ts'

export const FormatName: TString = Type.String({
  minLength: 1,
  description: `${FORMAT_NAMES.join(' · ')}, or one of the config`,
  examples: ['ndjson'],
})
const tags = ['parse']
export const PARSE_PROBLEMS: readonly ErrorCode[] = [
  'FORMAT_NOT_FOUND',
  'PARSE_FAILED',
  'PARSE_LIMIT',
  'PARSE_TIMEOUT',
  'WORKER_LOST',
]

export const EXACT: string =
  'JSON values are answered as they were written, but for white space: numbers keep their digits, and of equal keys ' +
  'none is dropped.'

const messageSchema = (limits: AppLimits) => ({
  tags,
  operationId: 'parseMessage',
  summary: 'Read one message of a lease as a value',
  description: `A message has at most ${limits.bodyBytes} bytes, and those after it stay readable. ${EXACT}`,
  params: LeaseParams,
  body: Type.Object(
    {
      format: FormatName,
      options: Type.Optional(Type.Object({}, { additionalProperties: true })),
      timeoutMs: timeoutMs(limits),
      offset: readOffset(),
    },
    { ...CLOSED, examples: [{ format: 'json' }] },
  ),
  response: {
    200: Type.Object(
      {
        value: Type.Unknown({ examples: [{ answer: 42 }] }),
        offset: Type.Integer({ description: 'Stream offset of the message.' }),
      },
      { title: 'ParsedMessage' },
    ),
    default: ProblemAnswer,
  },
})

export function parseLeaseRoute(calls: Calls, pool: Pick<PoolPort, 'checkFormat'>): RouteTable {
  return {
    readBodies: registerJsonBodies,
    bodyBytesMax: calls.controlBodyBytesMax,
    counts: NOTHING_MOVED,
    routes: [
      route({
        method: 'POST',
        url: '/v1/leases/:id/parse',
        schema: messageSchema(calls.limits),
        problems: [...READ_PROBLEMS, ...PARSE_PROBLEMS, 'LIMIT_OVERRUN', 'INCOMPLETE_READ'],
        run: async (request, reply) => {
          const { format, options = {}, timeoutMs, offset } = request.body
          pool.checkFormat(format, options)
          const held = calls.leaseToRead(request)
          checkRoomForAnswer(request)
          const wait = calls.waitOf(request, timeoutMs)
          const read = (): Promise<Uint8Array> =>
            held.readFrom('parse', offset, wait, left =>
              held.lease.parseToText(format, messageWrap, options, { ...left, offset }),
            )
          const text = await tracedParse({ format, said: leaseOriginOf(request) }, read)
          return sendText(reply, JSON_TYPE, text)
        },
      }),
    ],
  }
}

/** `{value, offset}` */
function messageWrap(offset: number): TextWrap {
  return { before: '{"value":', between: '', end: '', after: `,"offset":${offset}}` }
}

export const JSON_TYPE = 'application/json; charset=utf-8'

export function sendText(
  reply: FastifyReply,
  type: string,
  { buffer, byteOffset, length }: Uint8Array,
): FastifyReply {
  return reply.type(type).send(Buffer.from(buffer, byteOffset, length))
}
