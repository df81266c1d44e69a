/** Bytes into values, in a parse worker: a body of its own, or the next message of a lease. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { pickType } from '../bytes/accept.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { registerByteBodies, registerJsonBodies } from '../bytes/request-body.ts'
import { principalOf } from '../door/principal.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { AppParts } from '../parts.ts'
import { problemHandler } from '../problems.ts'
import { answer, BytesBody, LeaseParams, ProblemAnswer, timeoutMs } from './schemas.ts'

const FormatName = Type.String({ minLength: 1, description: 'json · ndjson · lines' })
const tags = ['parse']

export function parseRoutes(parts: AppParts, table: LeaseTable): FastifyPluginCallbackTypebox {
  const { limits, pool } = parts

  const ofBytes: FastifyPluginCallbackTypebox = (app, _options, done) => {
    registerByteBodies(app)
    app.route({
      method: 'POST',
      url: '/v1/parse/:format',
      schema: {
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
      },
      handler: async (request, reply) => {
        const { timeoutMs: wish, ...options } = request.query as Record<string, unknown>
        const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        const values = await pool.parse(request.params.format, bytes, optionsOf(options), {
          signal: clientSignalOf(request),
          timeoutMs: typeof wish === 'number' ? wish : limits.operationTimeoutMs,
        })
        reply.header('vary', 'accept')
        const type = pickType(request.headers.accept, ['application/json', 'application/x-ndjson'])
        reply.type(type)
        if (type === 'application/json') return reply.send({ values })
        return reply.send(Buffer.from(values.map(value => `${JSON.stringify(value)}\n`).join('')))
      },
    })
    done()
  }

  const ofLease: FastifyPluginCallbackTypebox = (app, _options, done) => {
    registerJsonBodies(app)
    app.setErrorHandler(problemHandler({ bytesDelivered: 0, bytesAccepted: 0 }))
    app.route({
      method: 'POST',
      url: '/v1/leases/:id/parse',
      bodyLimit: Math.min(limits.bodyBytes, LIMITS.controlBodyBytesMax),
      schema: {
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
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            value: Type.Unknown(),
            offset: Type.Integer({ description: 'Stream offset of the message.' }),
          }),
          default: ProblemAnswer,
        },
      },
      handler: request => {
        const { format, options = {}, timeoutMs: wish } = request.body
        const held = table.find(request.params.id, principalOf(request).tenant)
        const wait = { signal: clientSignalOf(request), timeoutMs: wish ?? limits.operationTimeoutMs }
        return held.read('parse', () => held.lease.parse(format, options, wait))
      },
    })
    done()
  }

  return (app, _options, done) => {
    app.register(ofBytes)
    app.register(ofLease)
    done()
  }
}

/** Options as text become what they look like; the format says what it makes of them. */
function optionsOf(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, typed(value)]))
}

function typed(value: unknown): unknown {
  if (value === 'true' || value === 'false') return value === 'true'
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
}
