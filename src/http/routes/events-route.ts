/** What happens in the pool, as it happens: for dashboards. An admin alone sees it. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { ADMIN_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import type { AppDeps, PoolPort } from '../ports.ts'
import { EventFeed } from '../streaming/event-feed.ts'
import { EventFollower } from '../streaming/event-follower.ts'
import { OutStream } from '../streaming/out-stream.ts'
import type { Calls } from './calls.ts'
import { sendOpenEnded } from './open-ended.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, CLOSED, ProblemAnswer } from './schemas.ts'

const EXAMPLE =
  'id: mx1s-7\nevent: lease\n' +
  'data: {"at":"2026-11-28T23:30:53.338Z","target":"demo","lease":"66596bee1034","connection":"c1","ms":0.3}\n\n'

const EventsSchema = {
  tags: ['operation'],
  operationId: 'followEvents',
  summary: 'Follow what happens in the pool',
  description:
    'For an admin. Server-sent events `lease`, `release`, `connect`, `close`, `wait`, `worker`, `breaker`, `verb`, `reload`; ' +
    'data `{at, target?, connection?, lease?, reason?, ms?, worker?}`, where `lease` is the hash that logs show. A comment ' +
    'every 15 s. `dropped` says how many a slow client has missed, `end` that the service drains.',
  headers: Type.Object({
    'last-event-id': Type.Optional(
      Type.String({
        description: 'The `id` of the last event that the client has: those since are sent first.',
        examples: ['41'],
      }),
    ),
  }),
  querystring: Type.Object({}, CLOSED),
  response: {
    200: answer('Events, for as long as the client follows.', {
      'text/event-stream': Type.Unsafe<unknown>({ examples: [EXAMPLE] }),
    }),
    default: ProblemAnswer,
  },
}

export function eventsRoute(
  calls: Calls,
  pool: Pick<PoolPort, 'news'>,
  draining: AppDeps['draining'],
): RouteTable {
  const feed = new EventFeed(pool.news)
  const followers = new Set<EventFollower>()
  draining?.addEventListener('abort', () => {
    for (const follower of followers) follower.end()
  })
  return {
    routes: [
      route({
        method: 'GET',
        url: '/v1/events',
        exposeHeadRoute: false,
        schema: EventsSchema,
        problems: [...ADMIN_PROBLEMS, 'DRAINING'],
        run: (request, reply) => {
          principalOf(request).assertAdmin()
          calls.checkOpen()
          return follow(feed, followers, request, reply)
        },
      }),
    ],
  }
}

function follow(
  feed: EventFeed,
  followers: Set<EventFollower>,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const principal = principalOf(request)
  const out = new OutStream()
  const follower = new EventFollower(out, () => principal.isAdmin)
  const id = request.headers['last-event-id']
  const leave = feed.follow(typeof id === 'string' ? id : null, follower.hear, follower.missed)
  const beat = setInterval(() => follower.comment(), LIMITS.streamPingMs).unref()
  followers.add(follower)
  const signal = clientSignalOf(request)
  const gone = (): void => follower.end()
  const over = (): void => {
    signal.removeEventListener('abort', gone)
    leave()
    clearInterval(beat)
    followers.delete(follower)
  }
  signal.addEventListener('abort', gone, { once: true })
  void follower.run().then(over)
  return sendOpenEnded(request, reply.type('text/event-stream'), out)
}
