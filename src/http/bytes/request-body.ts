/**
 * A request body, chunk by chunk. Only the time that the service spends waiting for the client counts against the
 * client's pace: while a slow target holds up the writing, nobody reads the body, and TCP slows the client down.
 *
 * The stream is never destroyed here: that would end the connection, and the client would get no answer.
 */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import secureJson from 'secure-json-parse'
import { ChunkList } from '../../base/chunk-list.ts'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { aborted, Wait } from '../../base/wait.ts'
import { invalidField } from '../problems.ts'
import { clientSignalOf } from './client-signal.ts'

/** How long a body may keep the service waiting. */
export interface BodyPace {
  /** Milliseconds of waiting that every body is granted. */
  readonly waitMs: number
  /** So many bytes received grant one second more. */
  readonly bytesPerSecond: number
}

const PACE: BodyPace = { waitMs: LIMITS.bodyWaitMs, bytesPerSecond: LIMITS.bodyRateBytesPerSecond }

export class RequestBody {
  readonly #stream: Readable
  readonly #signal: AbortSignal
  readonly #pace: BodyPace
  #bytes = 0
  #waitedMs = 0

  constructor(stream: Readable, signal: AbortSignal, pace: BodyPace = PACE) {
    this.#stream = stream
    this.#signal = signal
    this.#pace = pace
  }

  /**
   * The next chunk as it came; null at the end of the body.
   *
   * Errors: ABORTED when the client disconnects before the end, REQUEST_TIMEOUT when it sends too slowly.
   */
  async next(): Promise<Buffer | null> {
    for (;;) {
      const chunk: unknown = this.#stream.read()
      if (chunk !== null) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
        this.#bytes += bytes.length
        return bytes
      }
      if (this.#stream.readableEnded) return null
      if (this.#stream.destroyed || this.#stream.errored) throw aborted('the request body', this.#signal)
      await this.#waitForMore()
    }
  }

  /** The whole body. Errors: BODY_TOO_LARGE past `limit` bytes, and those of `next`. */
  async readAll(limit: number): Promise<Buffer> {
    const chunks = new ChunkList()
    for (;;) {
      const chunk = await this.next()
      if (chunk === null) return chunks.takeAll()
      if (chunks.length + chunk.length > limit) throw tooLarge(limit)
      chunks.push(chunk)
    }
  }

  async #waitForMore(): Promise<void> {
    const { waitMs, bytesPerSecond } = this.#pace
    const allowedMs = waitMs + (this.#bytes / bytesPerSecond) * 1_000
    const startedAt = performance.now()
    const wait = new Wait<void>(
      'the request body',
      'REQUEST_TIMEOUT',
      { signal: this.#signal, timeoutMs: allowedMs - this.#waitedMs, allowedMs },
      () => undefined,
    )
    const wake = (): void => wait.resolve()
    const events = ['readable', 'end', 'error', 'close'] as const
    for (const event of events) this.#stream.on(event, wake)
    try {
      await wait.promise
    } finally {
      for (const event of events) this.#stream.off(event, wake)
      this.#waitedMs += performance.now() - startedAt
    }
  }
}

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
  app.addContentTypeParser('*', readBuffered)
}

/** Makes a scope's routes read a body of any type, JSON too, as a Buffer, up to the route's body limit. */
export function registerByteBodies(app: FastifyInstance): void {
  registerUntypedBodies(app)
  app.addContentTypeParser('*', readBuffered)
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

async function readBuffered(request: FastifyRequest, payload: IncomingMessage): Promise<Buffer> {
  const limit = request.routeOptions.bodyLimit
  if (Number(request.headers['content-length']) > limit) throw tooLarge(limit)
  return new RequestBody(payload, clientSignalOf(request)).readAll(limit)
}

/** Bodies that were read whole and are not JSON. For an error of a parser Fastify would end the connection. */
const malformed = new WeakMap<FastifyRequest, SockpoolError>()

async function readJson(request: FastifyRequest, payload: IncomingMessage): Promise<unknown> {
  const bytes = await readBuffered(request, payload)
  try {
    return parseJson(bytes)
  } catch (error) {
    if (!(error instanceof SockpoolError)) throw error
    malformed.set(request, error)
    return undefined
  }
}

function refuseMalformedJson(app: FastifyInstance): void {
  app.addHook('preValidation', (request, _reply, done) => done(malformed.get(request)))
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
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

function tooLarge(limit: number): SockpoolError {
  return new SockpoolError('BODY_TOO_LARGE', `the body is larger than ${limit} bytes`)
}
