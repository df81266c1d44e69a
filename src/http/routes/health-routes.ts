/** The probes. They answer anyone, under any Host, and say no more than yes or no. */
import { Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import type { FleetPort, PoolPort } from '../ports.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { ProblemAnswer } from './schemas.ts'

const tags = ['health']
const security: [] = []

const LiveSchema = {
  tags,
  security,
  operationId: 'live',
  summary: 'Whether the process answers',
  description: 'For a liveness probe: whoever asks, and whatever the Host.',
  response: { 200: Type.Object({ status: Type.Literal('live') }, { title: 'Live' }) },
}

const ReadySchema = {
  tags,
  security,
  operationId: 'ready',
  summary: 'Whether new leases are taken',
  description:
    'For a readiness probe: 503 not_ready while I/O workers start, draining once the service shuts down. `fleet` is there where one is configured: `degraded` while its engine is away, and the instance serves all the same.',
  response: {
    200: Type.Object(
      {
        status: Type.Literal('ready'),
        fleet: Type.Optional(Type.Union([Type.Literal('joined'), Type.Literal('degraded')])),
      },
      { title: 'Ready' },
    ),
    default: ProblemAnswer,
  },
}

/** `fleet`: null where this instance stands alone. */
export function healthRoutes(
  calls: Calls,
  pool: Pick<PoolPort, 'ready'>,
  fleet: Pick<FleetPort, 'state'> | null,
): RouteTable {
  return {
    logLevel: 'warn',
    routes: [
      route({ method: 'GET', url: '/livez', schema: LiveSchema, run: () => ({ status: 'live' as const }) }),
      route({
        method: 'GET',
        url: '/readyz',
        schema: ReadySchema,
        problems: ['NOT_READY', 'DRAINING'],
        run: () => {
          calls.checkOpen()
          if (!pool.ready) throw new SockpoolError('NOT_READY', 'some I/O workers are not running yet')
          return { status: 'ready' as const, ...(fleet !== null && { fleet: fleet.state }) }
        },
      }),
    ],
  }
}
