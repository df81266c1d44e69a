/** What the service can be scraped for, as Prometheus reads it. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { pickType } from '../bytes/accept.ts'
import { ADMIN_PROBLEMS } from '../document/problem-codes.ts'
import { principalOf } from '../door/principal.ts'
import { METRICS_NOTATIONS, type MetricsPort } from '../ports.ts'
import { type RouteTable, route } from './route-table.ts'
import { answer, ProblemAnswer } from './schemas.ts'

const EXAMPLE = 'sockpool_pool_waiters{target="demo"} 0\n'

const MetricsSchema = {
  tags: ['operation'],
  operationId: 'getMetrics',
  summary: 'All metrics',
  description:
    'For Prometheus and its like, which need a token with `metrics: true`, or an admin’s. With `Accept: ' +
    'application/openmetrics-text` histograms name traces of what they count, where there are any.',
  response: {
    200: answer('The metrics.', {
      'text/plain': Type.Unsafe<unknown>({ examples: [EXAMPLE] }),
      'application/openmetrics-text': Type.Unsafe<unknown>({ examples: [`${EXAMPLE}# EOF\n`] }),
    }),
    default: ProblemAnswer,
  },
}

export function metricsRoute(metrics: MetricsPort): RouteTable {
  return {
    // A scraper asks every few seconds.
    logLevel: 'warn',
    routes: [
      route({
        method: 'GET',
        url: '/metrics',
        schema: MetricsSchema,
        problems: ADMIN_PROBLEMS,
        run: (request, reply) => {
          principalOf(request).assertMayScrape()
          return sendMetrics(metrics, request, reply)
        },
      }),
    ],
  }
}

export async function sendMetrics(
  metrics: MetricsPort,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { contentType, text } = await metrics.page(pickType(request.headers.accept, METRICS_NOTATIONS))
  return reply
    .headers({ vary: 'accept', 'cache-control': 'no-store' })
    .type(contentType)
    .send(Buffer.from(text))
}
