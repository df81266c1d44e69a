/** asyncio.StreamWriter.start_tls over HTTP. A connection that has begun to speak TLS never serves another lease. */
import { Type } from 'typebox'
import { registerOptionalJsonBodies } from '../bytes/body-parsers.ts'
import { rebuildTls } from '../leases/ad-hoc-target.ts'
import type { AppLimits } from '../ports.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { CLOSED, LeaseParams, ProblemAnswer, TlsFactsSchema, TlsSchema, timeoutMs } from './schemas.ts'

const startTlsSchema = (limits: AppLimits) => ({
  tags: ['writer'],
  summary: 'Start TLS on the connection',
  description:
    'As the client, once everything written is sent. By default the certificate must be that of the host that ' +
    'was dialled. Bytes that came before the handshake are starttls_injection; any failure ends the connection.',
  params: LeaseParams,
  querystring: Type.Object({ timeoutMs: timeoutMs(limits) }, CLOSED),
  body: TlsSchema,
  response: { 200: Type.Object({ tls: TlsFactsSchema }), default: ProblemAnswer },
})

export function startTlsRoute(calls: Calls): RouteTable {
  return {
    // Without a body TLS is spoken by the platform's settings.
    readBodies: registerOptionalJsonBodies,
    bodyBytesMax: calls.controlBodyBytesMax,
    routes: [
      route({
        method: 'POST',
        url: '/v1/leases/:id/start_tls',
        schema: startTlsSchema(calls.limits),
        run: async request => {
          const held = calls.leaseOf(request)
          const { lease } = held
          held.assertNotReading()
          const wait = calls.waitOf(request, request.query.timeoutMs)
          const tls = rebuildTls(request.body)
          try {
            await held.write('start_tls', wait, () => lease.writer.startTls({ ...tls, ...wait }))
          } catch (error) {
            // What ended the connection is told here, so no read has to tell it.
            if (lease.gone !== null) held.tellBreak()
            throw error
          }
          return { tls: lease.connection.tls }
        },
      }),
    ],
  }
}
