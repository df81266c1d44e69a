/**
 * asyncio.start_server over HTTP: a listener in the I/O workers, and a lease on each connection that it accepts. It listens
 * only where the operator has said so, and belongs to the tenant that made it.
 */
import type { FastifyRequest } from 'fastify'
import { type TInteger, type TObject, type TOptional, type TSchema, type TString, Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { normaliseServerTls } from '../../config/tls-options.ts'
import { registerJsonBodies, registerOptionalJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { principalOf } from '../door/principal.ts'
import type { CallerListener, CallerListeners } from '../leases/caller-listeners.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { AppDeps, AppLimits, LeasePort, ListeningPort } from '../ports.ts'
import type { Calls } from './calls.ts'
import { viewOf } from './lease-routes.ts'
import { type RouteTable, route } from './route-table.ts'
import { always, answer, CLOSED, LeaseSchema, ProblemAnswer, timeoutMs, ttlMs } from './schemas.ts'

const tags = ['listeners']
const ID = 'Zb1Xk8cYv2hqPpBtXwSgA9oEiQUwZfzDOtU0eJ3p1Yv'

/** `/v1/listeners/{id}` */
const ListenerParams: TObject<{ id: TString }> = Type.Object({
  id: Type.String({ description: 'The listener id.', examples: [ID] }),
})

const BOUND_FIELDS = {
  id: Type.String({ description: '256 random bits, base64url.', examples: [ID] }),
  address: Type.String({ description: 'The address that it is bound to.', examples: ['127.0.0.1'] }),
  port: Type.Integer({ description: 'The port, also where the system picked it.', examples: [38_221] }),
}

const counted = (description: string, example: number): TInteger =>
  Type.Integer({ description, minimum: 0, examples: [example] })

const ListenerState = Type.Object(
  {
    ...BOUND_FIELDS,
    tls: Type.Boolean({ description: 'Whether clients speak TLS from the start.' }),
    backlog: counted('Connections that may wait for an accept call.', 100),
    maxConnections: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Connections at once, waiting or leased; null: no bound of its own.',
      examples: [null],
    }),
    ttlMs: counted('Milliseconds without an accept call after which it ends.', 300_000),
    expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description: 'When it ends where nobody calls.',
      examples: ['2026-11-28T23:30:53.338Z'],
    }),
    waiting: counted('Connections that wait for an accept call.', 0),
    leased: counted('Connections that are leased.', 1),
    calls: counted('Accept calls that wait for a connection.', 0),
    accepted: counted('Leases so far.', 3),
    refused: counted('Connections so far that were closed, as there was no room.', 0),
  },
  { title: 'Listener' },
)

const optionalCount = (description: string, maximum: number, example: number): TOptional<TInteger> =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, description, examples: [example] }))

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
    backlog: optionalCount(
      `Connections that may wait for an accept call; who comes beyond is disconnected. Default ${LIMITS.listenBacklog}.`,
      LIMITS.listenerBacklogMax,
      100,
    ),
    maxConnections: optionalCount(
      'Connections at once, waiting or leased; default: no bound of its own.',
      LIMITS.channelsMax,
      1_000,
    ),
    ttlMs: optionalCount(
      `Milliseconds without an accept call after which the listener ends; default ${LIMITS.listenerTtlMs}.`,
      LIMITS.leaseTtlMsMax,
      300_000,
    ),
  },
  { ...CLOSED, examples: [{ host: '127.0.0.1', port: 0 }] },
)

/** The answer that has made something, and where that is. */
function made(schema: TSchema, what: string, path: string): TSchema {
  const location = Type.String({ description: `The path of ${what}.`, examples: [path] })
  return answer(
    `The path and what it leads to: ${what}.`,
    { 'application/json': schema },
    {
      location: always(location),
    },
  )
}

const ListenSchema = {
  tags,
  operationId: 'listen',
  summary: 'Listen',
  description:
    'Only where a rule of `ingress.listen` allows it, with a token whose targets hold `*`. The listener ends once nobody has ' +
    'called accept for `ttlMs`.',
  body: ListenBody,
  response: {
    201: made(Type.Object(BOUND_FIELDS, { title: 'Bound' }), 'the listener', `/v1/listeners/${ID}`),
    default: ProblemAnswer,
  },
}

const ListListenersSchema = {
  tags,
  operationId: 'listListeners',
  summary: 'List your listeners',
  response: { 200: Type.Object({ listeners: Type.Array(ListenerState) }), default: ProblemAnswer },
}

const LookAtListenerSchema = {
  tags,
  operationId: 'getListener',
  summary: 'Look at a listener',
  params: ListenerParams,
  response: { 200: ListenerState, default: ProblemAnswer },
}

const CloseQuery = Type.Object(
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
)

const CloseListenerSchema = {
  tags,
  operationId: 'closeListener',
  summary: 'End a listener',
  description:
    'Nothing listens any more when the answer comes. Connections that nobody has taken are closed. Calls that wait for one ' +
    'answer 404 listener_not_found.',
  params: ListenerParams,
  querystring: CloseQuery,
  response: {
    200: Type.Object(
      {
        dropped: counted('Connections that nobody had taken.', 0),
        leased: counted('Leases on its connections.', 1),
      },
      { title: 'ListenerClosed' },
    ),
    default: ProblemAnswer,
  },
}

const acceptSchema = (limits: AppLimits) => ({
  tags,
  operationId: 'accept',
  summary: 'Lease the next accepted connection',
  description:
    'First come, first served. 504 wait_timeout where none comes. The connection is never reused; start_tls on it is the ' +
    "server's side, with `cert` and `key`.",
  params: ListenerParams,
  querystring: Type.Object({ timeoutMs: timeoutMs(limits), ttlMs: Type.Optional(ttlMs()) }, CLOSED),
  body: Type.Object({}, CLOSED),
  response: {
    201: made(LeaseSchema, 'the lease', '/v1/leases/UwZfz-DOtU0eJ3p1YvKq8mD2hXcR5nLbT7sWgA9oEiQ'),
    default: ProblemAnswer,
  },
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
    schema: CloseListenerSchema,
    problems: ['LISTENER_NOT_FOUND'],
    run: request => own(request).listener.close(request.query.clients),
  })
  const look = route({
    method: 'GET',
    url: '/v1/listeners/:id',
    schema: LookAtListenerSchema,
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
    schema: ListListenersSchema,
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
    schema: acceptSchema(calls.limits),
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
