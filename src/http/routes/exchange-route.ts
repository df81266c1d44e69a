/**
 * One round trip: lease, write, drain, read one reply, release, under one deadline. JSON carries the request and
 * the bytes; any other content type is the bytes, and the query carries the rest.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import type { ReadSpec } from '../../pool/lease/exchange.ts'
import { registerJsonOrByteBodies } from '../bytes/body-parsers.ts'
import { sendBytes } from '../bytes/byte-answer.ts'
import { ByteEncodingSchema, bytesOf } from '../bytes/byte-text.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { parseReadSpec, READ_WORDS, ReadSpecSchema } from '../bytes/read-spec.ts'
import { ACQUIRE_PROBLEMS } from '../document/problem-codes.ts'
import { locateInRequest, rebuildTarget } from '../leases/ad-hoc-target.ts'
import { leaseOriginOf } from '../leases/lease-origin.ts'
import type { AppLimits, LeasingPort, TargetChoice } from '../ports.ts'
import { invalidField, NOTHING_MOVED } from '../problems.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, bytesAnswer, CLOSED, ProblemAnswer, TargetSchema, timeoutMs } from './schemas.ts'

const querySchema = (limits: AppLimits) =>
  Type.Object(
    {
      target: Type.Optional(
        Type.String({ minLength: 1, description: 'The name of a configured target.', examples: ['demo'] }),
      ),
      read: Type.Optional(Type.String({ description: READ_WORDS, examples: ['line'] })),
      timeoutMs: timeoutMs(limits),
      encoding: Type.Optional(ByteEncodingSchema),
      separatorEncoding: Type.Optional(ByteEncodingSchema),
    },
    CLOSED,
  )

const WriteSchema = Type.Object(
  { text: Type.Optional(Type.String()), base64: Type.Optional(Type.String()) },
  {
    ...CLOSED,
    minProperties: 1,
    maxProperties: 1,
    description: 'The bytes to send, as text or as base64.',
    examples: [{ text: 'hello\n' }],
  },
)

const jsonSchema = (limits: AppLimits) =>
  Type.Object(
    {
      target: TargetSchema,
      write: WriteSchema,
      read: Type.Optional(ReadSpecSchema),
      timeoutMs: timeoutMs(limits),
      separatorEncoding: Type.Optional(ByteEncodingSchema),
    },
    { ...CLOSED, examples: [{ target: 'demo', write: { text: 'hello\n' }, read: 'line' }] },
  )

const exchangeSchema = (limits: AppLimits) => ({
  tags: ['exchange'],
  operationId: 'exchange',
  summary: 'Write bytes and read one reply',
  description:
    'As JSON, or as bytes of any other content type with target, read and timeoutMs in the query. ' +
    'separatorEncoding says how the separators of `until` are spelled. A peer that ends before the reply is whole is ' +
    '502 incomplete_read, with the bytes in `partial`; so is a reply to the end that TLS did not close (`reason` ' +
    'tls_truncated), unless the target allows it.',
  querystring: querySchema(limits),
  body: answer('The request.', {
    'application/json': jsonSchema(limits),
    'application/octet-stream': Type.Unsafe<unknown>({}),
  }),
  response: {
    200: bytesAnswer('ExchangedBytes', {
      reused: Type.Boolean({ description: 'Whether the connection was open before this exchange.' }),
    }),
    default: ProblemAnswer,
  },
})

type ExchangeQuery = Static<ReturnType<typeof querySchema>>
type ExchangeBody = Static<ReturnType<typeof jsonSchema>>
type ExchangeCall = FastifyRequest & { readonly query: ExchangeQuery }

export function exchangeRoute(calls: Calls, pool: Pick<LeasingPort, 'exchange'>): RouteTable {
  return {
    readBodies: registerJsonOrByteBodies,
    counts: NOTHING_MOVED,
    routes: [
      route({
        method: 'POST',
        url: '/v1/exchange',
        schema: exchangeSchema(calls.limits),
        problems: [
          ...ACQUIRE_PROBLEMS,
          'INVALID_SEPARATOR',
          'FRAME_MISMATCH',
          'COMMAND_DENIED',
          'LIMIT_OVERRUN',
          'WRITE_OVERFLOW',
          'INCOMPLETE_READ',
          'CONNECTION_RESET',
          'LEASE_GONE',
          'FRAME_BROKEN',
          'READ_TIMEOUT',
          'DRAIN_TIMEOUT',
        ],
        run: (request, reply) => exchange(calls, pool, request, reply),
      }),
    ],
  }
}

/** Runs the round trip within the quota of the token. Errors: those of the request, and of `Pool.exchange`. */
async function exchange(
  calls: Calls,
  pool: Pick<LeasingPort, 'exchange'>,
  request: ExchangeCall,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { bodyBytes } = calls.limits
  const { target, timeoutMs, write, read } = orderOf(request, bodyBytes)
  const { quota, tenant, weight } = calls.admit(request, target)
  checkRoomForAnswer(request)
  const share = quota.enter(target)
  try {
    const wait = calls.waitOf(request, timeoutMs)
    const origin = leaseOriginOf(request)
    // Field by field: objects that are spread into others cost as much as the rest of the call.
    const {
      data: bytes,
      offset,
      eof,
      ending,
      reused,
    } = await pool.exchange(target, {
      write,
      read,
      signal: wait.signal,
      timeoutMs: wait.timeoutMs,
      tenant,
      weight,
      origin,
      limit: bodyBytes,
    })
    const end = eof ? ending : null
    return sendBytes({ bytes, offset, eof, end, reused }, request.query.encoding, request, reply)
  } catch (error) {
    throw locateInRequest(error, target)
  } finally {
    share.end()
  }
}

/** What is to be done, whichever way it was said. */
interface ExchangeOrder {
  readonly target: TargetChoice
  readonly write: Buffer
  /** Default: one message of the target's own frame. */
  readonly read: ReadSpec | undefined
  readonly timeoutMs: number | undefined
}

function orderOf(request: ExchangeCall, bytesMax: number): ExchangeOrder {
  return request.mediaType === 'application/json'
    ? // The schema of this content type has passed the body.
      fromJson(request.body as ExchangeBody, request.query, bytesMax)
    : fromBytes(request, bytesMax)
}

function fromJson(body: ExchangeBody, query: ExchangeQuery, bytesMax: number): ExchangeOrder {
  const misplaced = (['target', 'read', 'timeoutMs', 'separatorEncoding'] as const).find(
    name => query[name] !== undefined,
  )
  if (misplaced) throw invalidField(misplaced, 'belongs in the JSON body, not in the query')
  const { target, write, read, timeoutMs, separatorEncoding = 'utf8' } = body
  return {
    target: rebuildTarget(target),
    write:
      write.text === undefined
        ? bytesOf(write.base64 ?? '', 'base64', 'write.base64')
        : bytesOf(write.text, 'utf8', 'write.text'),
    read: read === undefined ? undefined : parseReadSpec(read, { separatorEncoding, bytesMax }),
    timeoutMs,
  }
}

function fromBytes(request: ExchangeCall, bytesMax: number): ExchangeOrder {
  const { target, read, timeoutMs, separatorEncoding = 'utf8' } = request.query
  if (target === undefined) {
    // JSON sent under another type looks like this: to name the missing field would not help.
    if (request.mediaType !== undefined && request.mediaType !== 'application/octet-stream')
      throw new SockpoolError(
        'UNSUPPORTED_MEDIA_TYPE',
        'send application/json, or bytes with ?target= in the query',
      )
    throw invalidField('target', 'is required')
  }
  return {
    target,
    write: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    read: read === undefined ? undefined : parseReadSpec(read, { separatorEncoding, bytesMax }),
    timeoutMs,
  }
}
