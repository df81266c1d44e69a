/**
 * What the pool is doing. A caller sees the targets within its token's globs and its own connections; an admin
 * sees them all.
 */
import { type TProperties, Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { registerJsonBodies } from '../bytes/body-parsers.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { type Principal, principalOf } from '../door/principal.ts'
import type { AppDeps, RowsPort, TargetRow } from '../ports.ts'
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

const CONNECTION_FIELDS = {
  id: Type.String(),
  target: Type.Optional(Type.String()),
  state: Type.Optional(Type.String()),
}

const Connection = row(CONNECTION_FIELDS)

const Operation = Type.Object({
  name: Type.String({ description: 'connect, lease, read, write, exchange, parse, release, …' }),
  at: Type.String({ format: 'date-time', description: 'When it began.' }),
  ms: Type.Number({ description: 'Milliseconds that it took, or has taken so far.' }),
  bytesIn: count,
  bytesOut: count,
  outcome: Type.String({
    description:
      'ok; the code of the problem that it ended with; of a release, its reason; running where it is not over.',
  }),
})

const ConnectionWithOperations = row({
  ...CONNECTION_FIELDS,
  operations: Type.Array(Operation, {
    maxItems: LIMITS.flightOperationsMax,
    description: 'The last operations, oldest first.',
  }),
})

const Worker = row({
  id: Type.Optional(count),
  kind: Type.Optional(Type.String({ description: 'io or http.' })),
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
  summary: 'List the I/O workers, and the threads that serve HTTP where there are several',
  response: { 200: Type.Object({ workers: Type.Array(Worker) }), default: ProblemAnswer },
}

const ConnectionSchema = {
  tags,
  summary: 'Look at a connection, and at what was done with it last',
  description: 'For an admin. No payload, no id of a lease.',
  params: Type.Object({ id: Type.String() }),
  response: { 200: ConnectionWithOperations, default: ProblemAnswer },
}

const Stats = Type.Object({
  leases: count,
  waiters: Type.Integer({ description: 'Callers that wait for a connection.' }),
  connections: row({
    connecting: count,
    idle: count,
    leased: count,
    multiplexed: count,
    quarantined: count,
    closing: count,
  }),
  targets: Type.Integer({
    description: 'Configured targets, and those that callers have described of late.',
  }),
  parse: Type.Object({
    workers: Type.Integer({ description: 'Parse threads of each kind that there may be.' }),
    busy: Type.Integer({ description: 'Parse threads of all kinds that work.' }),
    queued: Type.Integer({
      description: 'Parse calls that wait for a thread, or for the rest of their message.',
    }),
  }),
  memory: Type.Object({
    rss: Type.Integer({ description: 'Bytes of the process.' }),
    heapUsed: Type.Integer({ description: 'Bytes of the heap of the thread that serves HTTP.' }),
    ringBytes: Type.Integer({
      description: 'Bytes set aside for the rings of connections; resident only where they were touched.',
    }),
  }),
  uptimeMs: count,
})

const StatsSchema = {
  tags,
  summary: 'Counts of the whole service',
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
