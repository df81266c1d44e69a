/** What the forwards are doing, for operators. */

import { Type } from 'typebox'
import { ADMIN_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import type { PoolPort } from '../ports.ts'
import { type RouteTable, route } from './route-table.ts'
import { ProblemAnswer } from './schemas.ts'

const counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })

const Forward = Type.Object({
  listen: Type.String({ description: 'Where it listens, with the real port.' }),
  target: Type.String(),
  mode: Type.String({ description: 'session or message.' }),
  state: Type.String({
    description:
      'listening; closed: it is no more, and its last clients go on; failed: its address could not be bound again.',
  }),
  clients: Type.Integer({ description: 'Clients that are here now.' }),
  waiting: Type.Integer({ description: 'Of them, those that wait for a connection.' }),
  accepted: Type.Integer({ description: 'Clients so far.' }),
  served: counts(
    'Clients that were served, by what became of their connection: clean, half_closed, error, …',
  ),
  refused: counts('Clients that got no connection, by the code of the error; left: they went themselves.'),
  bytesIn: Type.Integer({ description: 'Bytes from the target, of clients that have gone.' }),
  bytesOut: Type.Integer({ description: 'Bytes to the target, of clients that have gone.' }),
})

const ForwardsSchema = {
  tags: ['operation'],
  operationId: 'listForwards',
  summary: 'List the forwards',
  description: 'For an admin.',
  response: { 200: Type.Object({ forwards: Type.Array(Forward) }), default: ProblemAnswer },
}

export function forwardRoutes(pool: Pick<PoolPort, 'forwards'>): RouteTable {
  return {
    routes: [
      route({
        method: 'GET',
        url: '/v1/forwards',
        schema: ForwardsSchema,
        problems: ADMIN_PROBLEMS,
        run: request => {
          principalOf(request).assertAdmin()
          return { forwards: [...pool.forwards.stats()] as never }
        },
      }),
    ],
  }
}
