/** asyncio.StreamWriter.start_tls over HTTP. A connection that has begun to speak TLS never serves another lease. */
import { type TSchema, Type } from 'typebox'
import { registerOptionalJsonBodies } from '../bytes/body-parsers.ts'
import { WRITE_PROBLEMS } from '../document/problem-codes.ts'
import { rebuildTls } from '../leases/ad-hoc-target.ts'
import type { AppLimits, CallerTls } from '../ports.ts'
import { invalidField } from '../problems.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { CLOSED, LeaseParams, ProblemAnswer, TlsFactsSchema, TlsSchema, timeoutMs } from './schemas.ts'

type StartTlsBody = CallerTls & { readonly cert?: string; readonly key?: string }

const StartTlsSchema = Type.Unsafe<StartTlsBody>(
  Type.Object(
    {
      ...(TlsSchema as TSchema as TSchema & { readonly properties: Record<string, TSchema> }).properties,
      cert: Type.Optional(Type.String({ minLength: 1, description: 'The certificate chain, PEM text.' })),
      key: Type.Optional(Type.String({ minLength: 1, description: 'Its key, PEM text.' })),
    },
    CLOSED,
  ),
)

const startTlsSchema = (limits: AppLimits) => ({
  tags: ['writer'],
  operationId: 'startTls',
  summary: 'Start TLS on the connection',
  description:
    'As the client, once everything written is sent. By default the certificate must be that of the host that ' +
    'was dialled. Bytes that came before the handshake are starttls_injection; any failure ends the connection. On a ' +
    'connection that a listener accepted it is the server that starts, with `cert` and `key`, and without `servername`.',
  params: LeaseParams,
  querystring: Type.Object({ timeoutMs: timeoutMs(limits) }, CLOSED),
  body: { ...StartTlsSchema, examples: [{ servername: 'localhost', alpn: ['imap'] }] },
  response: { 200: Type.Object({ tls: TlsFactsSchema }, { title: 'TlsStarted' }), default: ProblemAnswer },
})

/** A caller has a key of its own to show where it is the server. Errors: INVALID_REQUEST. */
function tlsOf({ cert, key, ...tls }: StartTlsBody, side: 'client' | 'server'): StartTlsBody {
  if (side === 'client' && (cert !== undefined || key !== undefined))
    throw invalidField(
      cert === undefined ? 'key' : 'cert',
      'is for a connection that a listener accepted; this one was dialled',
    )
  return { ...rebuildTls(tls), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) }
}

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
        problems: [...WRITE_PROBLEMS, 'READ_BUSY', 'WOULD_DEADLOCK'],
        run: async request => {
          const held = calls.leaseOf(request)
          const { lease } = held
          held.assertNotReading()
          const wait = calls.waitOf(request, request.query.timeoutMs)
          const tls = tlsOf(request.body, held.side)
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
