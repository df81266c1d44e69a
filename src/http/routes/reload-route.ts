/** Has the service read its configuration anew. */
import { Type } from 'typebox'
import { registerOptionalJsonBodies } from '../bytes/body-parsers.ts'
import { ADMIN_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import type { AppDeps } from '../ports.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { CLOSED, ProblemAnswer } from './schemas.ts'

const count = Type.Integer()
const Counts = Type.Object({ added: count, changed: count, removed: count, unchanged: count })

const ReloadSchema = {
  tags: ['operation'],
  operationId: 'reload',
  summary: 'Read the configuration anew',
  description:
    'File, environment and flags are read as at the start, and judged whole: where anything is wrong the answer is 400 ' +
    'with every fault in `errors`, and nothing changes. Else all of it holds at once, for leases that are held too: those ' +
    'that may not go on are gone, with the reason revoked.',
  body: Type.Object({}, CLOSED),
  response: {
    200: Type.Object(
      {
        targets: Counts,
        tokens: Counts,
        forwards: Counts,
        leasesEnded: Type.Integer({ description: 'Leases that are gone, with the reason revoked.' }),
        connectionsRetired: Type.Integer({
          description: 'Connections that serve nobody new: closed now, or when they come back.',
        }),
        listenersClosed: Type.Integer({
          description:
            'Listeners that may not go on; the leases on their connections are among those that are gone.',
        }),
        ignored: Type.Array(Type.String(), {
          description: 'Keys that say something new and need a restart.',
        }),
      },
      { title: 'Reloaded' },
    ),
    default: ProblemAnswer,
  },
}

export function reloadRoute(calls: Calls, reload: AppDeps['reload']): RouteTable {
  return {
    readBodies: registerOptionalJsonBodies,
    bodyBytesMax: calls.controlBodyBytesMax,
    routes: [
      route({
        method: 'POST',
        url: '/v1/reload',
        schema: ReloadSchema,
        problems: [...ADMIN_PROBLEMS, 'DRAINING'],
        run: async request => {
          principalOf(request).assertAdmin()
          calls.checkOpen()
          const { ignored, ...numbers } = await reload()
          return { ...numbers, ignored: [...ignored] }
        },
      }),
    ],
  }
}
