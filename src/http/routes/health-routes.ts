/** The probes. They answer anyone, under any name, and say no more than yes or no. */
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { SockpoolError } from '../../base/errors.ts'
import type { AppParts } from '../parts.ts'
import { ProblemAnswer } from './schemas.ts'

const tags = ['health']
const security: [] = []

export function healthRoutes(parts: AppParts): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.route({
      method: 'GET',
      url: '/livez',
      logLevel: 'warn',
      schema: {
        tags,
        security,
        summary: 'Whether the process answers',
        response: { 200: Type.Object({ status: Type.Literal('live') }) },
      },
      handler: () => ({ status: 'live' as const }),
    })

    app.route({
      method: 'GET',
      url: '/readyz',
      logLevel: 'warn',
      schema: {
        tags,
        security,
        summary: 'Whether new leases are taken',
        response: { 200: Type.Object({ status: Type.Literal('ready') }), default: ProblemAnswer },
      },
      handler: () => {
        if (parts.isClosing()) throw new SockpoolError('DRAINING', 'the service is draining')
        if (!parts.pool.ready) throw new SockpoolError('NOT_READY', 'the I/O workers are not all up')
        return { status: 'ready' as const }
      },
    })
    done()
  }
}
