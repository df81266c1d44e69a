/** The other instances, and the caps that they share, for operators. */
import { Type } from 'typebox'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { ADMIN_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import type { FleetPort } from '../ports.ts'
import { type RouteTable, route } from './route-table.ts'
import { ProblemAnswer } from './schemas.ts'

const Instance = Type.Object(
  {
    name: Type.String({ examples: ['pool-a'] }),
    url: Type.String({ description: 'Where others reach it.', examples: ['http://10.1.2.3:7070'] }),
    leases: Type.Integer({ description: 'Leases that are held there.' }),
    connections: Type.Integer({ description: 'Its connections to all targets.' }),
    seenAt: Type.String({ format: 'date-time', description: 'When the engine last heard of it.' }),
    startedAt: Type.String({ format: 'date-time' }),
    version: Type.String({ examples: ['0.2.0'] }),
  },
  { title: 'Instance' },
)

const Cap = Type.Object(
  {
    cap: Type.Integer({ description: 'Connections of all instances together.', examples: [200] }),
    held: Type.Integer({ description: 'Permits that instances hold, all together.', examples: [97] }),
    byInstance: Type.Record(Type.String(), Type.Integer(), {
      description: 'Permits by the name of the instance that holds them.',
      examples: [{ 'pool-a': 61, 'pool-b': 36 }],
    }),
  },
  { title: 'Cap' },
)

const Fleet = Type.Object(
  {
    state: Type.String({
      description:
        'alone: no fleet is configured; joined; degraded: the engine is away, and what follows is what it said last.',
      examples: ['joined'],
    }),
    name: Type.Union([Type.String(), Type.Null()], {
      description: 'What this instance is called; null where it is alone.',
      examples: ['pool-a'],
    }),
    instances: Type.Array(Instance, { description: 'All that the engine knows, this one included.' }),
    caps: Type.Record(Type.String(), Cap, {
      description: 'By the name of the target.',
      examples: [{ cache: { cap: 200, held: 97, byInstance: { 'pool-a': 61, 'pool-b': 36 } } }],
    }),
  },
  { title: 'Fleet' },
)

const FleetSchema = {
  tags: ['operation'],
  operationId: 'getFleet',
  summary: 'Look at the fleet',
  description: 'Which instances there are, and who holds how much of the caps that they share. For an admin.',
  response: { 200: Fleet, default: ProblemAnswer },
}

/** `fleet`: none where this instance stands alone. */
export function fleetRoute(fleet: FleetPort | undefined): RouteTable {
  return {
    routes: [
      route({
        method: 'GET',
        url: '/v1/fleet',
        schema: FleetSchema,
        problems: ADMIN_PROBLEMS,
        run: async request => {
          principalOf(request).assertAdmin()
          checkRoomForAnswer(request)
          if (fleet === undefined) return { state: 'alone', name: null, instances: [], caps: {} }
          const { instances, caps } = await fleet.rows()
          // Asked for last: whether the engine answers shows when it is asked.
          return { state: fleet.state, name: fleet.name, instances: [...instances], caps }
        },
      }),
    ],
  }
}
