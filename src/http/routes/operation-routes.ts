/**
 * What the pool is doing. A caller sees the targets within its token's globs and its own connections; an admin
 * sees them all.
 */
import { Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { registerJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { ADMIN_PROBLEMS } from '../document/problem-codes.ts'
import { type Principal, principalOf } from '../door/principal.ts'
import type { AppDeps, RowsPort, TargetRow } from '../ports.ts'
import { Connection, ConnectionWithOperations, Stats, Target, Worker } from './operation-rows.ts'
import { type RouteTable, route } from './route-table.ts'
import { ProblemAnswer } from './schemas.ts'

const tags = ['operation']

const TargetsSchema = {
  tags,
  operationId: 'listTargets',
  summary: 'List the targets',
  description: 'Those that your token may use; an admin sees those that callers have described, too.',
  response: { 200: Type.Object({ targets: Type.Array(Target) }), default: ProblemAnswer },
}

const TargetSchema = {
  tags,
  operationId: 'getTarget',
  summary: 'Look at a target',
  description: 'Its pool, its hosts, its breaker, and what is awaited of it.',
  params: Type.Object({ name: Type.String({ description: 'The name of a target.', examples: ['demo'] }) }),
  response: { 200: Target, default: ProblemAnswer },
}

const ConnectionsSchema = {
  tags,
  operationId: 'listConnections',
  summary: 'List the connections',
  description: 'Those of your token; an admin sees all.',
  response: { 200: Type.Object({ connections: Type.Array(Connection) }), default: ProblemAnswer },
}

const WorkersSchema = {
  tags,
  operationId: 'listWorkers',
  summary: 'List the I/O workers, the threads that serve HTTP where there are several, and those that parse',
  description:
    'Threads in which connections live, with what they have moved. A thread that parses starts when there is work for it, and ends half a minute after its last.',
  response: { 200: Type.Object({ workers: Type.Array(Worker) }), default: ProblemAnswer },
}

const ConnectionSchema = {
  tags,
  operationId: 'getConnection',
  summary: 'Look at a connection, and at what was done with it last',
  description: 'For an admin. No payload, no id of a lease.',
  params: Type.Object({ id: Type.String({ description: "The connection's id.", examples: ['c1'] }) }),
  response: { 200: ConnectionWithOperations, default: ProblemAnswer },
}

const StatsSchema = {
  tags,
  operationId: 'getStats',
  summary: 'Counts of the whole service',
  description: 'What is held, awaited and used right now.',
  response: { 200: Stats, default: ProblemAnswer },
}

export function operationRoutes(
  pool: RowsPort,
  httpRows: NonNullable<AppDeps['httpRows']> = () => [],
): RouteTable {
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
        problems: ['FORBIDDEN', 'TARGET_NOT_FOUND'],
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
      connectionRoute(pool),
      route({
        method: 'GET',
        url: '/v1/workers',
        schema: WorkersSchema,
        run: async () => ({ workers: [...(await pool.workers()), ...httpRows()] }),
      }),
      route({
        method: 'GET',
        url: '/v1/stats',
        schema: StatsSchema,
        run: () => pool.stats(),
      }),
    ],
  }
}

function connectionRoute(pool: RowsPort): RouteTable['routes'][number] {
  return route({
    method: 'GET',
    url: '/v1/connections/:id',
    schema: ConnectionSchema,
    problems: [...ADMIN_PROBLEMS, 'CONNECTION_NOT_FOUND'],
    run: request => {
      principalOf(request).assertAdmin()
      return pool.connection(request.params.id)
    },
  })
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
