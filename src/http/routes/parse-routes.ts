/**
 * Bytes into values, in a parse worker: a body of its own, or the next message of a lease. The worker writes the answer
 * too, and this thread sends its bytes as they are.
 */
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import type { TextWrap } from '../../base/answer-form.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { FORMAT_NAMES } from '../../parse/formats/registry.ts'
import { pickType } from '../bytes/accept.ts'
import { registerByteBodies, registerJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { READ_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import type { AppLimits, PoolPort } from '../ports.ts'
import { NOTHING_MOVED } from '../problems.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, CLOSED, LeaseParams, ProblemAnswer, readOffset, timeoutMs } from './schemas.ts'

const FormatName = Type.String({
  minLength: 1,
  description: `${FORMAT_NAMES.join(' · ')}, or one of the config`,
  examples: ['ndjson'],
})
const tags = ['parse']
const PARSE_PROBLEMS: readonly ErrorCode[] = [
  'FORMAT_NOT_FOUND',
  'PARSE_FAILED',
  'PARSE_LIMIT',
  'PARSE_TIMEOUT',
  'WORKER_LOST',
]

/** `{values: […]}` */
const VALUES: TextWrap = { before: '{"values":[', between: ',', end: '', after: ']}' }
const LINES: TextWrap = { before: '', between: '', end: '\n', after: '' }

const JSON_TYPE = 'application/json; charset=utf-8'
const NDJSON_TYPE = 'application/x-ndjson'

const EXACT =
  'JSON values are answered as they were written, but for white space: numbers keep their digits, and of equal keys ' +
  'none is dropped.'

const bodySchema = (limits: AppLimits) => ({
  tags,
  operationId: 'parse',
  summary: 'Parse the body',
  description:
    `The body is the bytes, whatever its content type, at most ${limits.bodyBytes} of them. The other query fields are ` +
    `options of the format. ${EXACT}`,
  body: answer('The bytes.', {
    'application/octet-stream': Type.Unsafe<unknown>({ examples: ['{"a":1}\n[2]\n'] }),
  }),
  params: Type.Object({ format: FormatName }),
  querystring: Type.Object({ timeoutMs: timeoutMs(limits) }, { additionalProperties: true }),
  response: {
    200: answer('All values.', {
      'application/json': Type.Object(
        { values: Type.Array(Type.Unknown(), { examples: [[{ a: 1 }, [2]]] }) },
        { title: 'ParsedValues' },
      ),
      'application/x-ndjson': Type.Unsafe<unknown>({}),
    }),
    default: ProblemAnswer,
  },
})

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

export function parseBodyRoute(calls: Calls, pool: Pick<PoolPort, 'parseToText'>): RouteTable {
  return {
    readBodies: registerByteBodies,
    routes: [
      route({
        method: 'POST',
        url: '/v1/parse/:format',
        schema: bodySchema(calls.limits),
        problems: PARSE_PROBLEMS,
        run: async (request, reply) => {
          checkRoomForAnswer(request)
          const { timeoutMs, ...options } = request.query
          const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
          const call = { ...calls.waitOf(request, timeoutMs), tenant: principalOf(request).tenant }
          reply.header('vary', 'accept')
          const type = pickType(request.headers.accept, ['application/json', NDJSON_TYPE])
          const wrap = type === NDJSON_TYPE ? LINES : VALUES
          const { format } = request.params
          const text = await pool.parseToText(format, bytes, wrap, optionsOf(options), call)
          return sendText(reply, type === NDJSON_TYPE ? NDJSON_TYPE : JSON_TYPE, text)
        },
      }),
    ],
  }
}

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
          const text = await held.readFrom('parse', offset, wait, left =>
            held.lease.parseToText(format, messageWrap, options, { ...left, offset }),
          )
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

function sendText(
  reply: FastifyReply,
  type: string,
  { buffer, byteOffset, length }: Uint8Array,
): FastifyReply {
  return reply.type(type).send(Buffer.from(buffer, byteOffset, length))
}

/** Options come as text and become what they look like; what the format makes of them is its business. */
function optionsOf(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, typed(value)]))
}

function typed(value: unknown): unknown {
  if (value === 'true' || value === 'false') return value === 'true'
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
}
