/**
 * asyncio.start_server over HTTP: a listener in the I/O workers, and a lease on each connection that it accepts. It listens
 * only where the operator has said so, and belongs to the tenant that made it.
 */
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { normaliseServerTls } from '../../config/tls-options.ts'
import { registerJsonBodies, registerOptionalJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { principalOf } from '../door/principal.ts'
import type { CallerListener, CallerListeners } from '../leases/caller-listeners.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { AppDeps, LeasePort, ListeningPort } from '../ports.ts'
import type { Calls } from './calls.ts'
import { viewOf } from './lease-routes.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, CLOSED, LeaseMade, locationOf, ProblemAnswer, timeoutMs, ttlMs } from './schemas.ts'

const tags = ['listeners']
const count = Type.Integer()
const LISTENER_ID = 'mQ3vZt8KcY1xW5bJ0nRfLs7dHgPaEuT2oVi9yNkXqBw'
const ListenerParams = Type.Object({
  id: Type.String({ description: 'The listener id.', examples: [LISTENER_ID] }),
})

const ListenBody = Type.Object(
  {
    host: Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'An address of this machine, or a name, as a rule of `ingress.listen` has it.',
    }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, description: '0 takes one that the system picks.' }),
    tls: Type.Optional(
      Type.Object(
        {
          cert: Type.String({ minLength: 1, description: 'The certificate chain, PEM text.' }),
          key: Type.String({ minLength: 1, description: 'Its key, PEM text.' }),
        },
        { ...CLOSED, description: 'Clients speak TLS from the start.' },
      ),
    ),
    backlog: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.listenerBacklogMax,
        description: `Connections that may wait for an accept call; who comes beyond is disconnected. Default ${LIMITS.listenBacklog}.`,
      }),
    ),
    maxConnections: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.channelsMax,
        description: 'Connections at once, waiting or leased; default: no bound of its own.',
      }),
    ),
    ttlMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.leaseTtlMsMax,
        description: `Milliseconds without an accept call after which the listener ends; default ${LIMITS.listenerTtlMs}.`,
      }),
    ),
  },
  { ...CLOSED, examples: [{ host: '127.0.0.1', port: 0, maxConnections: 100 }] },
)

const BOUND_FIELDS = {
  id: Type.String({ description: '256 random bits, base64url.', examples: [LISTENER_ID] }),
  address: Type.String({ examples: ['127.0.0.1'] }),
  port: Type.Integer({ description: 'The real one.', examples: [40_123] }),
}

const ListenerState = Type.Object(
  {
    ...BOUND_FIELDS,
    tls: Type.Boolean(),
    backlog: count,
    maxConnections: Type.Union([count, Type.Null()]),
    ttlMs: count,
    expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    waiting: Type.Integer({ description: 'Connections that wait for an accept call.' }),
    leased: Type.Integer({ description: 'Connections that are leased.' }),
    calls: Type.Integer({ description: 'Accept calls that wait for a connection.' }),
    accepted: Type.Integer({ description: 'Leases so far.' }),
    refused: Type.Integer({ description: 'Connections so far that were closed, as there was no room.' }),
  },
  { title: 'ListenerState' },
)

const ListenSchema = {
  tags,
  operationId: 'listen',
  summary: 'Listen',
  description:
    'Only where a rule of `ingress.listen` allows it, with a token whose targets hold `*`. The listener ends once nobody has ' +
    'called accept for `ttlMs`.',
  body: ListenBody,
  response: {
    201: answer(
      'The listener.',
      { 'application/json': Type.Object(BOUND_FIELDS, { title: 'Listener' }) },
      locationOf(`/v1/listeners/${LISTENER_ID}`),
    ),
    default: ProblemAnswer,
  },
}

const ListSchema = {
  tags,
  operationId: 'listListeners',
  summary: 'List your listeners',
  description: 'Those of your token that listen.',
  response: { 200: Type.Object({ listeners: Type.Array(ListenerState) }), default: ProblemAnswer },
}

const LookSchema = {
  tags,
  operationId: 'getListener',
  summary: 'Look at a listener',
  description: 'Where it listens, who waits, and when it ends.',
  params: ListenerParams,
  response: { 200: ListenerState, default: ProblemAnswer },
}

const CloseSchema = {
  tags,
  operationId: 'closeListener',
  summary: 'End a listener',
  description:
    'Nothing listens any more when the answer comes. Connections that nobody has taken are closed. Calls that wait for one ' +
    'answer 404 listener_not_found.',
  params: ListenerParams,
  querystring: Type.Object(
    {
      clients: Type.Optional(
        Type.Enum(['close', 'abort', 'keep'], {
          description:
            'What becomes of the leases on its connections: close sends what was written and closes them, abort ends them ' +
            'at once, keep (the default) leaves them.',
        }),
      ),
    },
    CLOSED,
  ),
  response: {
    200: Type.Object(
      {
        dropped: Type.Integer({ description: 'Connections that nobody had taken.' }),
        leased: Type.Integer({ description: 'Leases on its connections.' }),
      },
      { title: 'ListenerEnded' },
    ),
    default: ProblemAnswer,
  },
}

const acceptSchema = (calls: Calls) => ({
  tags,
  operationId: 'accept',
  summary: 'Lease the next accepted connection',
  description:
    'First come, first served. 504 wait_timeout where none comes. The connection is never reused; start_tls on it is the ' +
    "server's side, with `cert` and `key`.",
  params: ListenerParams,
  querystring: Type.Object({ timeoutMs: timeoutMs(calls.limits), ttlMs: Type.Optional(ttlMs()) }, CLOSED),
  body: Type.Object({}, CLOSED),
  response: { 201: LeaseMade, default: ProblemAnswer },
})

export type ListenerRoutesDeps = {
  readonly calls: Calls
  readonly pool: ListeningPort
  readonly table: LeaseTable
  readonly listeners: CallerListeners
  readonly mayListen: AppDeps['mayListen']
}

export function listenerRoutes(deps: ListenerRoutesDeps): RouteTable[] {
  const { calls, listeners } = deps
  const bodyBytesMax = calls.controlBodyBytesMax
  const own = (request: OwnRequest): CallerListener =>
    listeners.find(request.params.id, principalOf(request).tenant)
  const close = route({
    method: 'DELETE',
    url: '/v1/listeners/:id',
    schema: CloseSchema,
    problems: ['LISTENER_NOT_FOUND'],
    run: request => own(request).listener.close(request.query.clients),
  })
  const look = route({
    method: 'GET',
    url: '/v1/listeners/:id',
    schema: LookSchema,
    problems: ['LISTENER_NOT_FOUND'],
    run: request => stateOf(own(request)),
  })
  return [
    {
      readBodies: registerJsonBodies,
      bodyBytesMax,
      routes: [listenRoute(deps), listRoute(deps), look, close],
    },
    { readBodies: registerOptionalJsonBodies, bodyBytesMax, routes: [acceptRoute(deps, own)] },
  ]
}

type OwnRequest = FastifyRequest & { readonly params: { readonly id: string } }

function listenRoute({
  calls,
  pool,
  listeners,
  mayListen,
}: ListenerRoutesDeps): RouteTable['routes'][number] {
  return route({
    method: 'POST',
    url: '/v1/listeners',
    schema: ListenSchema,
    problems: ['FORBIDDEN', 'TARGET_DENIED', 'LISTEN_FAILED', 'DNS_FAILED', 'WORKER_LOST', 'DRAINING'],
    run: async (request, reply) => {
      const principal = principalOf(request)
      const { body } = request
      principal.assertMayListen()
      calls.checkOpen()
      const place = mayListen(body)
      if (place === null)
        throw new SockpoolError(
          'TARGET_DENIED',
          'this service may not listen there; the operator can allow it in ingress.listen',
        )
      const { tenant } = principal
      const { backlog = LIMITS.listenBacklog, maxConnections = null, ttlMs = LIMITS.listenerTtlMs } = body
      const tls =
        body.tls === undefined ? null : normaliseServerTls({ cert: body.tls.cert, key: body.tls.key })
      const spec = { backlog, tls, reusePort: false, handshakeTimeoutMs: LIMITS.tlsHandshakeTimeoutMs }
      const listener = await pool.listenForLeases(place, spec, { tenant, backlog, maxConnections, ttlMs })
      const own = listeners.add(listener, tenant, { tls: tls !== null, ttlMs })
      return reply.code(201).header('location', `/v1/listeners/${own.id}`).send(boundOf(own))
    },
  })
}

function listRoute({ listeners }: ListenerRoutesDeps): RouteTable['routes'][number] {
  return route({
    method: 'GET',
    url: '/v1/listeners',
    schema: ListSchema,
    run: request => {
      checkRoomForAnswer(request)
      return { listeners: listeners.list(principalOf(request).tenant).map(stateOf) }
    },
  })
}

function acceptRoute(
  { calls, table }: ListenerRoutesDeps,
  ownOf: (request: OwnRequest) => CallerListener,
): RouteTable['routes'][number] {
  return route({
    method: 'POST',
    url: '/v1/listeners/:id/accept',
    schema: acceptSchema(calls),
    problems: ['LISTENER_NOT_FOUND', 'LISTEN_FAILED', 'WAIT_TIMEOUT', 'DRAINING'],
    run: async (request, reply) => {
      const own = ownOf(request)
      calls.checkOpen()
      const { timeoutMs, ttlMs } = request.query
      const wait = calls.waitOf(request, timeoutMs)
      const { quota, tenant } = principalOf(request)
      const share = quota.enter('')
      let lease: LeasePort
      try {
        lease = await own.listener.accept({ ...wait, ttlMs })
      } catch (error) {
        share.end()
        throw error
      }
      share.leased()
      const held = table.add(lease, tenant, 'server')
      held.whenEnded(() => share.end())
      if (!wait.signal.aborted)
        return reply.code(201).header('location', `/v1/leases/${lease.id}`).send(viewOf(lease))
      // Nobody has learnt its id.
      await lease.discard()
      throw new SockpoolError('ABORTED', 'the client disconnected')
    },
  })
}

function boundOf({ id, listener }: CallerListener): { id: string; address: string; port: number } {
  const { address, port } = listener.address
  return { id, address, port }
}

function stateOf(own: CallerListener): object {
  const { listener, traits } = own
  const { backlog, maxConnections, expiresAt } = listener
  return {
    ...boundOf(own),
    ...traits,
    backlog,
    maxConnections,
    expiresAt: expiresAt?.toISOString() ?? null,
    ...listener.stats(),
  }
}
