/** JSON out of the bytes of a body, whose shape is judged while they come in. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import secureJson from 'secure-json-parse'
import { SockpoolError } from '../../base/errors.ts'
import { giveBackMemory } from '../../base/large-memory.ts'
import { invalidField } from '../problems.ts'
import { JsonShape } from './json-shape.ts'
import { readBuffered } from './request-body.ts'

const UTF_8 = new TextDecoder('utf-8', { fatal: true })

/** Bodies that were read whole and are not JSON. For an error of a parser Fastify would end the connection. */
const malformed = new WeakMap<FastifyRequest, SockpoolError>()

/** The body as a value; undefined for an empty one. Errors: BODY_TOO_LARGE, INVALID_REQUEST, those of the reading. */
export async function readJson(request: FastifyRequest, payload: IncomingMessage): Promise<unknown> {
  const shape = new JsonShape()
  const bytes = await readBuffered(request, payload, chunk => shape.take(chunk))
  try {
    return parseJson(bytes)
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
    malformed.set(request, error)
    return undefined
  } finally {
    giveBackMemory(bytes)
  }
}

/** Answers a body that `readJson` could not make a value of. */
export function refuseMalformedJson(app: FastifyInstance): void {
  app.addHook('preValidation', (request, _reply, done) => done(malformed.get(request)))
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  let text: string
  try {
    text = UTF_8.decode(bytes)
  } catch {
    throw invalidField('body', 'is not valid UTF-8')
  }
  try {
    return secureJson.parse(text, { protoAction: 'error', constructorAction: 'error' })
  } catch {
    // The parser's own message quotes the body, and no log may hold that.
    throw invalidField('body', 'is not valid JSON, or has a key __proto__ or constructor')
  }
}
