/** The OpenAPI 3.1 document, made from the routes' own schemas, at `/openapi.json`. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { ERROR_CODES } from '../../base/errors.ts'
import { checkRoomForAnswer } from '../bytes/held-bytes.ts'
import { completeDocument } from '../document/api-document.ts'
import type { ApiDocument } from '../document/api-shapes.ts'
import { docsPages } from './docs-pages.ts'
import { answer, ProblemAnswer } from './schemas.ts'

/** Options of the generator. */
export function openApiDocument(version: string): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'sockpool',
        version,
        description: [
          'A connection pooler for any TCP or TLS protocol. Sizes are bytes, durations milliseconds that end in `Ms`, ' +
            'instants RFC 3339 that end in `At`.',
          'What fails is `application/problem+json`: each operation lists its codes by status. A method and path that is ' +
            'no operation is 404 `not_found`. HEAD answers wherever GET does, but where an answer goes on.',
          `Codes of problems: ${Object.keys(ERROR_CODES).join(', ').toLowerCase()}.`,
        ].join('\n\n'),
        contact: { name: 'The sockpool project' },
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'The service that this document is from.' }],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description:
              'A token of the configuration, or the one that the service prints at its start. A client certificate that ' +
              'bears the name of a token stands for it; with --no-auth none is asked for.',
          },
        },
      },
      security: [{ bearer: [] }],
      tags: [
        { name: 'leases', description: 'The right to use one connection for a while.' },
        { name: 'reader', description: 'asyncio.StreamReader.' },
        { name: 'writer', description: 'asyncio.StreamWriter.' },
        { name: 'streams', description: 'A lease as a stream that stays open.' },
        { name: 'exchange', description: 'A whole round trip.' },
        { name: 'listeners', description: 'asyncio.start_server.' },
        { name: 'parse', description: 'Bytes into values.' },
        { name: 'operation', description: 'What the pool is doing.' },
        { name: 'health', description: 'Probes.' },
        { name: 'about', description: 'The API itself.' },
      ],
    },
    transformObject: made => {
      if (!('openapiObject' in made)) return made.swaggerObject
      completeDocument(made.openapiObject as unknown as ApiDocument)
      return made.openapiObject
    },
  }
}

const DocumentSchema = {
  tags: ['about'],
  operationId: 'getOpenApi',
  summary: 'This document',
  description: 'OpenAPI 3.1; to be read in a browser at `/docs`.',
  response: {
    200: answer('The document.', {
      'application/json': Type.Object(
        { openapi: Type.String({ examples: ['3.1.0'] }) },
        { additionalProperties: true },
      ),
    }),
    default: ProblemAnswer,
  },
}

/** The document at `/openapi.json`, and the pages that show it. */
export function openApiRoutes(app: FastifyInstance, _options: object, done: () => void): void {
  let bytes: Buffer | null = null
  const document = (): Buffer => {
    bytes ??= Buffer.from(JSON.stringify(app.swagger()))
    return bytes
  }
  app.route({
    method: 'GET',
    url: '/openapi.json',
    schema: DocumentSchema,
    handler: (request, reply) => {
      checkRoomForAnswer(request)
      return reply.type('application/json').send(document())
    },
  })
  app.register(docsPages, { document })
  done()
}
