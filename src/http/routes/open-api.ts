/** The OpenAPI 3.1 document, made from the routes' own schemas, at `/openapi.json`. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { ERROR_CODES } from '../../base/errors.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'

/** Options of the generator. */
export function openApiDocument(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'sockpool',
        version,
        description: [
          'A connection pooler for any TCP or TLS protocol. Sizes are bytes, durations milliseconds.',
          `Codes of problems: ${Object.keys(ERROR_CODES).join(', ').toLowerCase()}.`,
        ].join('\n\n'),
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
      tags: [
        { name: 'leases', description: 'The right to use one connection for a while.' },
        { name: 'reader', description: 'asyncio.StreamReader.' },
        { name: 'writer', description: 'asyncio.StreamWriter.' },
        { name: 'exchange', description: 'A whole round trip.' },
        { name: 'listeners', description: 'asyncio.start_server.' },
        { name: 'parse', description: 'Bytes into values.' },
        { name: 'operation', description: 'What the pool is doing.' },
        { name: 'health', description: 'Probes.' },
      ],
    },
  }
}

export function openApiRoute(app: FastifyInstance, _options: object, done: () => void): void {
  app.route({
    method: 'GET',
    url: '/openapi.json',
    schema: { hide: true },
    handler: (request, reply) => {
      checkRoomForAnswer(request)
      return reply.type('application/json').send(app.swagger())
    },
  })
  done()
}
