/**
 * One round trip: lease, write, drain, read one reply, release, under one deadline. JSON carries the request and
 * the bytes; any other content type is the bytes, and the query carries the rest.
 */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { sendBytes } from '../bytes/byte-answer.ts'
import { type ByteEncoding, ByteEncodingSchema, bytesOf } from '../bytes/byte-text.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { parseReadSpec, ReadSpecSchema } from '../bytes/read-spec.ts'
import { registerJsonOrByteBodies } from '../bytes/request-body.ts'
import { principalOf } from '../door/principal.ts'
import { locateInRequest, rebuildTarget } from '../leases/ad-hoc-target.ts'
import type { AdHocTarget, AppLimits, AppParts, ReadSpec } from '../parts.ts'
import { invalidField, problemHandler } from '../problems.ts'
import { answer, bytesAnswer, ProblemAnswer, TargetSchema, timeoutMs } from './schemas.ts'

const CLOSED = { additionalProperties: false }

/** What is to be done, whichever way it was said. */
interface Exchange {
  readonly target: string | AdHocTarget
  readonly write: Buffer
  readonly read: ReadSpec
  readonly timeoutMs: number
}

export function exchangeRoute(parts: AppParts): FastifyPluginCallbackTypebox {
  const { limits } = parts
  const { body, query } = schemasFor(limits)

  return (app, _options, done) => {
    registerJsonOrByteBodies(app)
    app.setErrorHandler(problemHandler({ bytesDelivered: 0, bytesAccepted: 0 }))
    app.route({
      method: 'POST',
      url: '/v1/exchange',
      schema: {
        tags: ['exchange'],
        summary: 'Write bytes and read one reply',
        description:
          'As JSON, or as bytes of any other content type with target, read and timeoutMs in the query. ' +
          'separatorEncoding says how the separators of `until` are spelled.',
        querystring: query,
        body: answer('The request.', {
          'application/json': body,
          'application/octet-stream': Type.Unsafe<unknown>({}),
        }),
        response: { 200: bytesAnswer({ reused: Type.Boolean() }), default: ProblemAnswer },
      },
      handler: async (request, reply) => {
        const exchange =
          request.mediaType === 'application/json'
            ? fromJson(request.body as Static<typeof body>, request.query, limits)
            : fromBytes(request, request.query, limits)
        const principal = principalOf(request)
        principal.authorize(exchange.target)
        if (parts.isClosing()) throw new SockpoolError('DRAINING', 'the service is draining')
        const { target, ...rest } = exchange
        const share = principal.quota.enter(target)
        try {
          const done = await parts.pool.exchange(target, {
            ...rest,
            limit: limits.bodyBytes,
            signal: clientSignalOf(request),
            tenant: principal.tenant,
          })
          const { data: bytes, offset, eof, reused } = done
          return sendBytes({ bytes, offset, eof, reused }, request.query.encoding, request, reply)
        } catch (error) {
          throw locateInRequest(error, target)
        } finally {
          share.end()
        }
      },
    })
    done()
  }
}

function schemasFor(limits: AppLimits) {
  const query = Type.Object(
    {
      target: Type.Optional(Type.String({ minLength: 1, description: 'The name of a configured target.' })),
      read: Type.Optional(Type.String({ description: 'line · until:SEP · exactly:N · eof · none' })),
      timeoutMs: timeoutMs(limits),
      encoding: Type.Optional(ByteEncodingSchema),
      separatorEncoding: Type.Optional(ByteEncodingSchema),
    },
    CLOSED,
  )
  const body = Type.Object(
    {
      target: TargetSchema,
      write: WriteSchema,
      read: ReadSpecSchema,
      timeoutMs: timeoutMs(limits),
      separatorEncoding: Type.Optional(ByteEncodingSchema),
    },
    CLOSED,
  )
  return { query, body }
}

const WriteSchema = Type.Object(
  { text: Type.Optional(Type.String()), base64: Type.Optional(Type.String()) },
  { ...CLOSED, minProperties: 1, maxProperties: 1, description: 'The bytes to send, as text or as base64.' },
)

interface ExchangeQuery {
  readonly target?: string
  readonly read?: string
  readonly timeoutMs?: number
  readonly separatorEncoding?: ByteEncoding
}

interface ExchangeBody {
  readonly target: string | AdHocTarget
  readonly write: { readonly text?: string; readonly base64?: string }
  readonly read: unknown
  readonly timeoutMs?: number
  readonly separatorEncoding?: ByteEncoding
}

function fromJson(body: ExchangeBody, query: ExchangeQuery, limits: AppLimits): Exchange {
  const misplaced = (['target', 'read', 'timeoutMs', 'separatorEncoding'] as const).find(
    name => query[name] !== undefined,
  )
  if (misplaced) throw invalidField(misplaced, 'belongs in the JSON body, not in the query')
  const { target, write, read, separatorEncoding = 'utf8' } = body
  return {
    target: rebuildTarget(target),
    write:
      write.text === undefined
        ? bytesOf(write.base64 ?? '', 'base64', 'write.base64')
        : bytesOf(write.text, 'utf8', 'write.text'),
    read: parseReadSpec(read, { separatorEncoding, bytesMax: limits.bodyBytes }),
    timeoutMs: body.timeoutMs ?? limits.operationTimeoutMs,
  }
}

function fromBytes(request: FastifyRequest, query: ExchangeQuery, limits: AppLimits): Exchange {
  const { target, read, separatorEncoding = 'utf8' } = query
  if (target === undefined) {
    // JSON sent under another type looks like this: saying which field is missing would not help.
    if (request.mediaType !== undefined && request.mediaType !== 'application/octet-stream')
      throw new SockpoolError(
        'UNSUPPORTED_MEDIA_TYPE',
        'send application/json, or bytes with ?target= in the query',
      )
    throw invalidField('target', 'is required')
  }
  if (read === undefined) throw invalidField('read', 'is required')
  return {
    target,
    write: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    read: parseReadSpec(read, { separatorEncoding, bytesMax: limits.bodyBytes }),
    timeoutMs: query.timeoutMs ?? limits.operationTimeoutMs,
  }
}
