/**
 * What the pool is doing. A caller sees the targets within its token's globs and its own connections; an admin
 * sees them all.
 */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { type TProperties, Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { registerJsonBodies } from '../bytes/request-body.ts'
import { type Principal, principalOf } from '../door/principal.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { AppParts, TargetRow } from '../parts.ts'
import { ProblemAnswer } from './schemas.ts'

/** Rows say at least this; the pool may count more. */
const row = (fields: TProperties) => Type.Object(fields, { additionalProperties: true })

const count = Type.Integer()

const Target = row({
  name: Type.String(),
  connections: Type.Optional(
    row({ connecting: count, idle: count, leased: count, closing: count, max: count }),
  ),
  waiters: Type.Optional(count),
  breaker: Type.Optional(Type.String()),
})

const Connection = row({
  id: Type.String(),
  target: Type.Optional(Type.String()),
  state: Type.Optional(Type.String()),
})

const Worker = row({
  threadId: Type.Optional(count),
  connections: Type.Optional(count),
  dialled: Type.Optional(Type.Integer({ description: 'Connects ever attempted.' })),
  bytesIn: Type.Optional(count),
  bytesOut: Type.Optional(count),
  utilization: Type.Optional(Type.Number()),
})

const tags = ['operation']

export function operationRoutes(parts: AppParts, table: LeaseTable): FastifyPluginCallbackTypebox {
  const { pool } = parts
  const visibleTargets = (principal: Principal): TargetRow[] =>
    pool.targets().filter(target => mayRead(target, principal) && principal.mayUse(target.name))

  return (app, _options, done) => {
    registerJsonBodies(app)

    app.route({
      method: 'GET',
      url: '/v1/targets',
      schema: {
        tags,
        summary: 'List the targets',
        response: { 200: Type.Object({ targets: Type.Array(Target) }), default: ProblemAnswer },
      },
      handler: request => ({ targets: visibleTargets(principalOf(request)) }),
    })

    app.route({
      method: 'GET',
      url: '/v1/targets/:name',
      schema: {
        tags,
        summary: 'Look at a target',
        params: Type.Object({ name: Type.String() }),
        response: { 200: Target, default: ProblemAnswer },
      },
      handler: request => {
        const principal = principalOf(request)
        principal.authorize(request.params.name)
        const target = visibleTargets(principal).find(({ name }) => name === request.params.name)
        if (target) return target
        throw new SockpoolError('TARGET_NOT_FOUND', 'there is no such target')
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/connections',
      schema: {
        tags,
        summary: 'List the connections',
        response: { 200: Type.Object({ connections: Type.Array(Connection) }), default: ProblemAnswer },
      },
      handler: request => {
        const { isAdmin, tenant } = principalOf(request)
        return {
          connections: pool.connections().filter(connection => isAdmin || connection.tenant === tenant),
        }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/workers',
      schema: {
        tags,
        summary: 'List the I/O workers',
        response: { 200: Type.Object({ workers: Type.Array(Worker) }), default: ProblemAnswer },
      },
      handler: async () => ({ workers: [...(await pool.workers())] }),
    })

    app.route({
      method: 'GET',
      url: '/v1/stats',
      schema: {
        tags,
        summary: 'Counts of the whole service',
        response: { 200: row({}), default: ProblemAnswer },
      },
      handler: () => ({ ...pool.stats(), http: table.stats() }),
    })
    done()
  }
}

/** Targets of the configuration belong to nobody; ad-hoc ones to the tenant that described them. */
function mayRead({ tenant }: TargetRow, principal: Principal): boolean {
  return tenant === undefined || tenant === null || principal.isAdmin || tenant === principal.tenant
}
