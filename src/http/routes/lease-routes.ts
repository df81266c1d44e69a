/** Acquiring, looking at, renewing and releasing leases. Each belongs to the tenant that acquired it. */
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { registerJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { ACQUIRE_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import type { CallerLease } from '../leases/caller-lease.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { LeasePort, PoolPort } from '../ports.ts'
import type { Calls } from './calls.ts'
import type { LeaseAcquirer } from './lease-acquirer.ts'
import { type RouteTable, route } from './route-table.ts'
import {
  CLOSED,
  LeaseMade,
  LeaseParams,
  LeaseStateSchema,
  ProblemAnswer,
  TargetSchema,
  ttlMs,
} from './schemas.ts'

const LeaseBody = Type.Object(
  {
    target: TargetSchema,
    ttlMs: Type.Optional(ttlMs()),
    waitMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: LIMITS.leaseWaitMsMax,
        description: 'Milliseconds to wait for a free connection; 0 takes one at once or not at all.',
      }),
    ),
    replay: Type.Optional(
      Type.Boolean({
        description:
          'Keep at least the last 64 KiB that were read, so that a read whose answer was lost can be repeated with its ' +
          '`offset`; default false.',
      }),
    ),
  },
  { ...CLOSED, examples: [{ target: 'demo', ttlMs: 60_000, waitMs: 5_000 }] },
)

const RenewBody = Type.Object({ ttlMs: ttlMs() }, { ...CLOSED, examples: [{ ttlMs: 60_000 }] })

const ReleaseQuery = Type.Object(
  {
    discard: Type.Optional(
      Type.Boolean({ description: 'Close the connection instead of giving it back; default false.' }),
    ),
    kill: Type.Optional(
      Type.Boolean({
        description:
          'End it at once, whatever it is doing; an admin may end anybody’s. Its holder finds it gone, with the reason killed.',
      }),
    ),
  },
  CLOSED,
)

const ReleaseAnswer = Type.Object(
  {
    outcome: Type.Enum(['reused', 'closed']),
    reason: Type.String({
      description: 'Why: clean, policy, discarded, unread, unsent, unanswered, …',
      examples: ['clean'],
    }),
  },
  { title: 'Released' },
)

const tags = ['leases']

const AcquireSchema = {
  tags,
  operationId: 'acquireLease',
  summary: 'Lease a connection',
  description:
    'With an Idempotency-Key, a repeat answers the same lease, as the first did, while it lives. A target that is not ' +
    'configured needs a token whose targets hold `*`.',
  headers: Type.Object({
    'idempotency-key': Type.Optional(
      Type.String({
        description: 'A key of your own, up to 255 characters.',
        examples: ['2f1c6f0e-job-41'],
      }),
    ),
  }),
  body: LeaseBody,
  response: {
    201: LeaseMade,
    default: ProblemAnswer,
  },
}

const ListSchema = {
  tags,
  operationId: 'listLeases',
  summary: 'List your leases',
  description:
    'Those of your token that have not ended, oldest first. An admin sees those of the clients of forwards too.',
  response: { 200: Type.Object({ leases: Type.Array(LeaseStateSchema) }), default: ProblemAnswer },
}

const LookSchema = {
  tags,
  operationId: 'getLease',
  summary: 'Look at a lease',
  description: 'How far it has read and written, and what it did last. Does not renew it.',
  params: LeaseParams,
  response: { 200: LeaseStateSchema, default: ProblemAnswer },
}

const RenewSchema = {
  tags,
  operationId: 'renewLease',
  summary: 'Renew a lease',
  description: 'Its time begins anew, with a new ttl.',
  params: LeaseParams,
  body: RenewBody,
  response: { 200: LeaseStateSchema, default: ProblemAnswer },
}

const ReleaseSchema = {
  tags,
  operationId: 'releaseLease',
  summary: 'Release a lease',
  description:
    'Your word that the conversation is at a message boundary; the pool still checks all that it can see. Where ' +
    'the peer takes none of the last bytes, the answer says `closed` and `unsent` and does not wait for it.',
  params: LeaseParams,
  querystring: ReleaseQuery,
  response: { 200: ReleaseAnswer, default: ProblemAnswer },
}

export function leaseRoutes(
  calls: Calls,
  acquirer: LeaseAcquirer,
  table: LeaseTable,
  pool: Pick<PoolPort, 'forwards'>,
): RouteTable {
  return {
    readBodies: registerJsonBodies,
    bodyBytesMax: calls.controlBodyBytesMax,
    routes: [
      acquireRoute(calls, acquirer),
      route({
        method: 'GET',
        url: '/v1/leases',
        schema: ListSchema,
        run: request => listLeases(table, pool, request),
      }),
      route({
        method: 'GET',
        url: '/v1/leases/:id',
        schema: LookSchema,
        run: request => stateOf(calls.leaseOf(request)),
      }),
      route({
        method: 'PATCH',
        url: '/v1/leases/:id',
        schema: RenewSchema,
        run: request => {
          const held = calls.leaseOf(request)
          held.lease.renew(request.body.ttlMs)
          return stateOf(held)
        },
      }),
      releaseRoute(calls, table, pool),
    ],
  }
}

function releaseRoute(
  calls: Calls,
  table: LeaseTable,
  pool: Pick<PoolPort, 'forwards'>,
): RouteTable['routes'][number] {
  return route({
    method: 'DELETE',
    url: '/v1/leases/:id',
    schema: ReleaseSchema,
    run: request => {
      if (request.query.kill === true) return kill(table, pool, request)
      const held = calls.leaseOf(request)
      return request.query.discard === true ? held.lease.discard() : table.release(held)
    },
  })
}

function acquireRoute(calls: Calls, acquirer: LeaseAcquirer): RouteTable['routes'][number] {
  return route({
    method: 'POST',
    url: '/v1/leases',
    schema: AcquireSchema,
    problems: ACQUIRE_PROBLEMS,
    run: async (request, reply) => {
      const principal = principalOf(request)
      principal.authorize(request.body.target)
      const held = await acquirer.acquire(request, request.body, principal, () => calls.checkOpen())
      const view = held.firstAnswer(viewOf)
      return reply.code(201).header('location', `/v1/leases/${held.lease.id}`).send(view)
    },
  })
}

/** Errors: LEASE_NOT_FOUND, LEASE_GONE. */
function kill(
  table: LeaseTable,
  pool: Pick<PoolPort, 'forwards'>,
  request: FastifyRequest & { readonly params: { readonly id: string } },
): { readonly outcome: 'closed'; readonly reason: string } {
  const { tenant, isAdmin } = principalOf(request)
  const { id } = request.params
  const { lease } =
    isAdmin && pool.forwards.leases.kill(id) ? { lease: null } : table.find(id, isAdmin ? null : tenant)
  lease?.kill('killed')
  return { outcome: 'closed', reason: 'killed' }
}

/** Clients of a forward are no callers of the API: their leases are an admin's to see. */
function listLeases(
  table: LeaseTable,
  pool: Pick<PoolPort, 'forwards'>,
  request: FastifyRequest,
): { leases: object[] } {
  checkRoomForAnswer(request)
  const { tenant, isAdmin } = principalOf(request)
  const others = isAdmin
    ? pool.forwards.leases.rows().map(row => ({ ...row, state: 'leased', expiresAt: null }))
    : []
  return { leases: [...table.list(tenant).map(stateOf), ...others] }
}

/** A lease as the answer to whoever asked for it. */
export function viewOf(lease: LeasePort): object {
  const { id, target, reused, expiresAt, connection } = lease
  return { id, target, state: 'leased', reused, expiresAt: expiresAt?.toISOString() ?? null, connection }
}

function stateOf({ lease }: CallerLease): object {
  const { reader, writer, ageMs, idleMs, lastOperation } = lease
  return {
    ...viewOf(lease),
    readOffset: reader.offset,
    writeOffset: writer.offset,
    ageMs: Math.round(ageMs),
    idleMs: Math.round(idleMs),
    lastOperation,
  }
}
