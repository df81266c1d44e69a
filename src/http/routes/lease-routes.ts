/** Acquiring, looking at, renewing and releasing leases. Each belongs to the tenant that acquired it. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { registerJsonBodies } from '../bytes/request-body.ts'
import { type Principal, principalOf } from '../door/principal.ts'
import { locateInRequest, rebuildTarget } from '../leases/ad-hoc-target.ts'
import { IdempotencyKeys } from '../leases/idempotency-keys.ts'
import type { HeldLease, LeaseTable } from '../leases/lease-table.ts'
import type { AdHocTarget, AppParts, Lease } from '../parts.ts'
import { invalidField } from '../problems.ts'
import { LeaseParams, LeaseSchema, LeaseStateSchema, ProblemAnswer, TargetSchema, ttlMs } from './schemas.ts'

const CLOSED = { additionalProperties: false }

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
  },
  CLOSED,
)

const RenewBody = Type.Object({ ttlMs: ttlMs() }, CLOSED)

const ReleaseQuery = Type.Object(
  {
    discard: Type.Optional(
      Type.Boolean({ description: 'Close the connection instead of giving it back; default false.' }),
    ),
  },
  CLOSED,
)

const ReleaseAnswer = Type.Object({
  outcome: Type.Enum(['reused', 'closed']),
  reason: Type.String({ description: 'Why: clean, policy, discarded, unread, unsent, unanswered, …' }),
})

const tags = ['leases']

export function leaseRoutes(parts: AppParts, table: LeaseTable): FastifyPluginCallbackTypebox {
  const keys = new IdempotencyKeys()

  const acquire = async (
    body: LeaseRequestBody,
    { tenant, quota }: Principal,
    signal: AbortSignal,
  ): Promise<HeldLease> => {
    const { target: described, ttlMs: ttl, waitMs } = body
    const target = rebuildTarget(described)
    const wishes = { ...(ttl !== undefined && { ttlMs: ttl }), ...(waitMs !== undefined && { waitMs }) }
    const share = quota.enter(target)
    try {
      const lease = await parts.pool.lease(target, { ...wishes, signal, tenant })
      share.leased()
      void lease.ended.then(() => share.end())
      return table.add(lease, tenant)
    } catch (error) {
      share.end()
      throw locateInRequest(error, target)
    }
  }

  /** A caller that is gone before it learnt the id can never use the lease, unless it has a key to ask again. */
  const acquireOnce = async (body: LeaseRequestBody, request: FastifyRequest): Promise<HeldLease> => {
    const held = await acquire(body, principalOf(request), clientSignalOf(request))
    if (!clientSignalOf(request).aborted) return held
    await held.lease.release()
    throw new SockpoolError('ABORTED', 'the client is gone')
  }

  return (app, _options, done) => {
    registerJsonBodies(app)
    const bodyLimit = Math.min(parts.limits.bodyBytes, LIMITS.controlBodyBytesMax)

    app.route({
      method: 'POST',
      url: '/v1/leases',
      bodyLimit,
      schema: {
        tags,
        summary: 'Lease a connection',
        description:
          'With an Idempotency-Key, a repeat answers the same lease while it lives. A target that is not ' +
          'configured needs a token whose targets hold `*`.',
        headers: Type.Object({ 'idempotency-key': Type.Optional(Type.String()) }),
        body: LeaseBody,
        response: { 201: LeaseSchema, default: ProblemAnswer },
      },
      handler: async (request, reply) => {
        const principal = principalOf(request)
        principal.authorize(request.body.target)
        if (parts.isClosing()) throw new SockpoolError('DRAINING', 'the service is draining')
        const key = idempotencyKey(request)
        const held = key === null ? await acquireOnce(request.body, request) : await repeatable(key, request)
        reply.code(201).header('location', `/v1/leases/${held.lease.id}`)
        return viewOf(held.lease)
      },
    })

    const repeatable = async (key: string, request: FastifyRequest): Promise<HeldLease> => {
      const body = request.body as LeaseRequestBody
      const principal = principalOf(request)
      const { tenant } = principal
      const fingerprint = JSON.stringify([body.target, body.ttlMs])
      const { held } = await keys.lease(
        { tenant, key, fingerprint, signal: clientSignalOf(request) },
        signal => acquire(body, principal, signal),
      )
      return held
    }

    app.route({
      method: 'GET',
      url: '/v1/leases',
      schema: {
        tags,
        summary: 'List your leases',
        response: { 200: Type.Object({ leases: Type.Array(LeaseStateSchema) }), default: ProblemAnswer },
      },
      handler: request => {
        const leases = table.list(principalOf(request).tenant)
        return { leases: leases.map(({ lease }) => stateOf(lease)) }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/leases/:id',
      schema: {
        tags,
        summary: 'Look at a lease',
        params: LeaseParams,
        response: { 200: LeaseStateSchema, default: ProblemAnswer },
      },
      handler: request => stateOf(table.find(request.params.id, principalOf(request).tenant).lease),
    })

    app.route({
      method: 'PATCH',
      url: '/v1/leases/:id',
      bodyLimit,
      schema: {
        tags,
        summary: 'Renew a lease',
        params: LeaseParams,
        body: RenewBody,
        response: { 200: LeaseStateSchema, default: ProblemAnswer },
      },
      handler: request => {
        const { lease } = table.find(request.params.id, principalOf(request).tenant)
        lease.renew(request.body.ttlMs)
        return stateOf(lease)
      },
    })

    app.route({
      method: 'DELETE',
      url: '/v1/leases/:id',
      bodyLimit,
      schema: {
        tags,
        summary: 'Release a lease',
        description:
          'Your word that the conversation is at a message boundary; the pool still checks all that it can see.',
        params: LeaseParams,
        querystring: ReleaseQuery,
        response: { 200: ReleaseAnswer, default: ProblemAnswer },
      },
      handler: request => {
        const { lease } = table.find(request.params.id, principalOf(request).tenant)
        return request.query.discard === true ? lease.discard() : lease.release()
      },
    })
    done()
  }
}

interface LeaseRequestBody {
  readonly target: string | AdHocTarget
  readonly ttlMs?: number
  readonly waitMs?: number
}

function idempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key']
  if (key === undefined) return null
  if (typeof key === 'string' && key.length > 0 && key.length <= LIMITS.idempotencyKeyCharsMax) return key
  throw invalidField('Idempotency-Key', `must have 1 to ${LIMITS.idempotencyKeyCharsMax} characters`)
}

function viewOf(lease: Lease): object {
  const { id, target, reused, expiresAt, connection } = lease
  return { id, target, state: 'leased', reused, expiresAt: expiresAt?.toISOString() ?? null, connection }
}

function stateOf(lease: Lease): object {
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
