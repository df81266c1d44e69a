/** asyncio.StreamWriter.start_tls over HTTP. A connection that has begun to speak TLS never serves another lease. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { registerJsonBodies } from '../bytes/request-body.ts'
import { principalOf } from '../door/principal.ts'
import { rebuildTls } from '../leases/ad-hoc-target.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { AppParts } from '../parts.ts'
import { LeaseParams, ProblemAnswer, TlsFactsSchema, TlsSchema, timeoutMs } from './schemas.ts'

const CLOSED = { additionalProperties: false }

export function startTlsRoute(parts: AppParts, table: LeaseTable): FastifyPluginCallbackTypebox {
  const { limits } = parts
  return (app, _options, done) => {
    registerJsonBodies(app)
    // The body may be left out: then TLS is spoken by the platform's settings.
    app.addHook('preValidation', async request => {
      if (request.body === undefined) request.body = {}
    })
    app.route({
      method: 'POST',
      url: '/v1/leases/:id/start_tls',
      bodyLimit: Math.min(limits.bodyBytes, LIMITS.controlBodyBytesMax),
      schema: {
        tags: ['writer'],
        summary: 'Start TLS on the connection',
        description:
          'As the client, once everything written is sent. By default the certificate must be that of the host that ' +
          'was dialled. Bytes that came before the handshake are starttls_injection; any failure ends the connection.',
        params: LeaseParams,
        querystring: Type.Object({ timeoutMs: timeoutMs(limits) }, CLOSED),
        body: TlsSchema,
        response: { 200: Type.Object({ tls: TlsFactsSchema }), default: ProblemAnswer },
      },
      handler: async request => {
        const held = table.find(request.params.id, principalOf(request).tenant)
        const { lease } = held
        const wait = {
          signal: clientSignalOf(request),
          timeoutMs: request.query.timeoutMs ?? limits.operationTimeoutMs,
        }
        const tls = rebuildTls(request.body)
        await held.writes.take(wait, () =>
          lease.operation('start_tls', () => lease.writer.startTls({ ...tls, ...wait })),
        )
        return { tls: lease.connection.tls }
      },
    })
    done()
  }
}
