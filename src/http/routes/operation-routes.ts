/**
 * What the pool is doing. A caller sees the targets within its token's globs and its own connections; an admin
 * sees them all.
 */
import { type TProperties, Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { registerJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { type Principal, principalOf } from '../door/principal.ts'
import type { LeaseTable } from '../leases/lease-table.ts'
import type { RowsPort, TargetRow } from '../ports.ts'
import { type RouteTable, route } from './route-table.ts'
import { ProblemAnswer } from './schemas.ts'

/** A row has at least these fields; the pool may add more. */
const row = (fields: TProperties) => Type.Object(fields, { additionalProperties: true })

const count = Type.Integer()

const Target = row({
  name: Type.String(),
  connections: Type.Optional(
    row({ connecting: count, idle: count, leased: count, closing: count, max: count }),
  ),
  waiters: Type.Optional(count),
  breaker: Type.Optional(Type.String({ description: 'closed, open, half_open or off.' })),
  hosts: Type.Optional(
    Type.Array(
      row({
        host: Type.String(),
        port: count,
        state: Type.String({ description: 'up, ejected or slow_start.' }),
        connections: count,
      }),
    ),
  ),
})

const Connection = row({
  id: Type.String(),
  target: Type.Optional(Type.String()),
  state: Type.Optional(Type.String()),
})

const Worker = row({
  id: Type.Optional(count),
  state: Type.Optional(
    Type.String({ description: 'serving, or draining beside its successor of the same id.' }),
  ),
  threadId: Type.Optional(count),
  connections: Type.Optional(count),
  dialled: Type.Optional(Type.Integer({ description: 'Connects ever attempted.' })),
  bytesIn: Type.Optional(count),
  bytesOut: Type.Optional(count),
  utilization: Type.Optional(Type.Number()),
})

const tags = ['operation']

const TargetsSchema = {
  tags,
  summary: 'List the targets',
  response: { 200: Type.Object({ targets: Type.Array(Target) }), default: ProblemAnswer },
}

const TargetSchema = {
  tags,
  summary: 'Look at a target',
  params: Type.Object({ name: Type.String() }),
  response: { 200: Target, default: ProblemAnswer },
}

const ConnectionsSchema = {
  tags,
  summary: 'List the connections',
  response: { 200: Type.Object({ connections: Type.Array(Connection) }), default: ProblemAnswer },
}

const WorkersSchema = {
  tags,
  summary: 'List the I/O workers',
  response: { 200: Type.Object({ workers: Type.Array(Worker) }), default: ProblemAnswer },
}

const StatsSchema = {
  tags,
  summary: 'Counts of the whole service',
  response: { 200: row({}), default: ProblemAnswer },
}

export function operationRoutes(pool: RowsPort, table: LeaseTable): RouteTable {
  return {
    readBodies: registerJsonBodies,
    routes: [
      route({
        method: 'GET',
        url: '/v1/targets',
        schema: TargetsSchema,
        run: request => {
          checkRoomForAnswer(request)
          return { targets: visibleTargets(pool, principalOf(request)) }
        },
      }),
      route({
        method: 'GET',
        url: '/v1/targets/:name',
        schema: TargetSchema,
        run: request => findTarget(pool, principalOf(request), request.params.name),
      }),
      route({
        method: 'GET',
        url: '/v1/connections',
        schema: ConnectionsSchema,
        run: request => {
          checkRoomForAnswer(request)
          const { isAdmin, tenant } = principalOf(request)
          return { connections: pool.connections().filter(row => isAdmin || row.tenant === tenant) }
        },
      }),
      route({
        method: 'GET',
        url: '/v1/workers',
        schema: WorkersSchema,
        run: async () => ({ workers: [...(await pool.workers())] }),
      }),
      route({
        method: 'GET',
        url: '/v1/stats',
        schema: StatsSchema,
        run: () => ({ ...pool.stats(), http: table.stats() }),
      }),
    ],
  }
}

function visibleTargets(pool: RowsPort, principal: Principal): TargetRow[] {
  return pool.targets().filter(target => mayRead(target, principal) && principal.mayUse(target.name))
}

/** Errors: FORBIDDEN, TARGET_NOT_FOUND. */
function findTarget(pool: RowsPort, principal: Principal, name: string): TargetRow {
  principal.authorize(name)
  const target = visibleTargets(pool, principal).find(row => row.name === name)
  if (target) return target
  throw new SockpoolError('TARGET_NOT_FOUND', 'no target has this name')
}

/** Targets of the configuration belong to nobody; described ones belong to the tenant that described them. */
function mayRead({ tenant }: TargetRow, principal: Principal): boolean {
  return tenant === null || principal.isAdmin || tenant === principal.tenant
}
