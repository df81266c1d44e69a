/** Bytes into values, in a parse worker: a body of its own, or the next message of a lease. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { pickType } from '../bytes/accept.ts'
import { registerByteBodies, registerJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import type { AppLimits, PoolPort } from '../ports.ts'
import { NOTHING_MOVED } from '../problems.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, BytesBody, CLOSED, LeaseParams, ProblemAnswer, timeoutMs } from './schemas.ts'

const FormatName = Type.String({ minLength: 1, description: 'json · ndjson · lines' })
const tags = ['parse']

const bodySchema = (limits: AppLimits) => ({
  tags,
  summary: 'Parse the body',
  description:
    'The body is the bytes, whatever its content type. The other query fields are options of the format.',
  body: BytesBody,
  params: Type.Object({ format: FormatName }),
  querystring: Type.Object({ timeoutMs: timeoutMs(limits) }, { additionalProperties: true }),
  response: {
    200: answer('All values.', {
      'application/json': Type.Object({ values: Type.Array(Type.Unknown()) }),
      'application/x-ndjson': Type.Unsafe<unknown>({}),
    }),
    default: ProblemAnswer,
  },
})

const messageSchema = (limits: AppLimits) => ({
  tags,
  summary: 'Read one message of a lease as a value',
  description: 'The bytes after it stay readable.',
  params: LeaseParams,
  body: Type.Object(
    {
      format: FormatName,
      options: Type.Optional(Type.Object({}, { additionalProperties: true })),
      timeoutMs: timeoutMs(limits),
    },
    CLOSED,
  ),
  response: {
    200: Type.Object({
      value: Type.Unknown(),
      offset: Type.Integer({ description: 'Stream offset of the message.' }),
    }),
    default: ProblemAnswer,
  },
})

export function parseBodyRoute(calls: Calls, pool: Pick<PoolPort, 'parse'>): RouteTable {
  return {
    readBodies: registerByteBodies,
    routes: [
      route({
        method: 'POST',
        url: '/v1/parse/:format',
        schema: bodySchema(calls.limits),
        run: async (request, reply) => {
          checkRoomForAnswer(request)
          const { timeoutMs, ...options } = request.query
          const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
          const wait = calls.waitOf(request, timeoutMs)
          const values = await pool.parse(request.params.format, bytes, optionsOf(options), wait)
          return sendValues(values, request, reply)
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
        run: request => {
          const { format, options = {}, timeoutMs } = request.body
          pool.checkFormat(format, options)
          const held = calls.leaseToRead(request)
          checkRoomForAnswer(request)
          const wait = calls.waitOf(request, timeoutMs)
          return held.read('parse', () => held.lease.parse(format, options, wait))
        },
      }),
    ],
  }
}

/** JSON, or NDJSON with a value on each line, as the Accept header prefers. */
function sendValues(values: readonly unknown[], request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.header('vary', 'accept')
  const type = pickType(request.headers.accept, ['application/json', 'application/x-ndjson'])
  reply.type(type)
  if (type === 'application/json') return reply.send({ values })
  return reply.send(Buffer.from(values.map(value => `${JSON.stringify(value)}\n`).join('')))
}

/** Options come as text and become what they look like; what the format makes of them is its business. */
function optionsOf(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, typed(value)]))
}

function typed(value: unknown): unknown {
  if (value === 'true' || value === 'false') return value === 'true'
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
}
