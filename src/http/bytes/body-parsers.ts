/** Which bodies the routes of a scope read, and what they get for a body. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { clientSignalOf } from './client-signal.ts'
import { readJson, refuseMalformedJson } from './json-body.ts'
import { RequestBody, readBuffered } from './request-body.ts'

/** Makes a scope's routes read JSON, and JSON only, up to the route's body limit. An empty body counts as no body. */
export function registerJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  refuseMalformedJson(app)
  app.addContentTypeParser('application/json', readJson)
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    // Many clients send a content type with the empty body of a POST.
    if ((await new RequestBody(payload, clientSignalOf(request)).next()) === null) return undefined
    throw new SockpoolError('UNSUPPORTED_MEDIA_TYPE', 'this route reads application/json only')
  })
}

/** As `registerJsonBodies`, with an empty body read as the object `{}`. */
export function registerOptionalJsonBodies(app: FastifyInstance): void {
  registerJsonBodies(app)
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined) request.body = {}
    done()
  })
}

/** Makes a scope's routes read JSON as JSON and any other type as a Buffer, up to the route's body limit. */
export function registerJsonOrByteBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  refuseMalformedJson(app)
  app.addContentTypeParser('application/json', readJson)
  app.addContentTypeParser('*', readBytes)
}

/** Makes a scope's routes read a body of any type, JSON too, as a Buffer, up to the route's body limit. */
export function registerByteBodies(app: FastifyInstance): void {
  registerUntypedBodies(app)
  app.addContentTypeParser('*', readBytes)
}

/** Makes a scope's routes get the unread stream as their body, whatever its type; `RequestBody` reads it. */
export function registerStreamedBodies(app: FastifyInstance): void {
  registerUntypedBodies(app)
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
}

/** Removes the Content-Type: Fastify would refuse one that is not a media type, but here any body is bytes. */
function registerUntypedBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', (request, _reply, done) => {
    delete request.raw.headers['content-type']
    done()
  })
}

function readBytes(request: FastifyRequest, payload: IncomingMessage): Promise<Buffer> {
  return readBuffered(request, payload)
}
