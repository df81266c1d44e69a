/**
 * A request body, chunk by chunk. Only the time that the service spends waiting for the client counts against the
 * client's pace: while a slow target holds up the writing, nobody reads the body, and TCP slows the client down.
 *
 * The stream is never destroyed here: that would end the connection, and the client would get no answer.
 */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { aborted, Wait } from '../../base/wait.ts'
import { BYTE_TURNS } from '../byte-turns.ts'
import { routeOf } from '../request-route.ts'
import { clientSignalOf } from './client-signal.ts'
import { askForBody } from './expect-continue.ts'
import { GatheredBody } from './gathered-body.ts'
import { holdBody } from './held-bytes.ts'
import { readSmallBody } from './small-body.ts'

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
  #turn: Promise<void> | null = null

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
    askForBody(this.#stream)
    if (this.#turn !== null) await this.#turn
    for (;;) {
      const chunk: unknown = this.#stream.read()
      if (chunk !== null) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer)
        this.#bytes += bytes.length
        this.#turn = BYTE_TURNS.spent(bytes.length)
        return bytes
      }
      if (this.#stream.readableEnded) return null
      if (this.#stream.destroyed || this.#stream.errored) throw aborted('the request body', this.#signal)
      await this.#waitForMore()
    }
  }

  /** The whole body. `look` sees each chunk. Errors: BODY_TOO_LARGE past `limit` bytes, those of `next` and of `look`. */
  async readAll(limit: number, look: (chunk: Buffer) => void = () => {}): Promise<Buffer> {
    const body = new GatheredBody(limit)
    try {
      for (;;) {
        const chunk = await this.next()
        if (chunk === null) return body.takeAll()
        if (body.length + chunk.length > limit) throw tooLarge(limit)
        look(chunk)
        body.add(chunk)
      }
    } catch (error) {
      body.drop()
      throw error
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

/**
 * The whole body, up to the route's limit. `look` sees each chunk as it comes, and may refuse it by an error.
 *
 * Errors: BODY_TOO_LARGE, QUEUE_FULL where the caller holds too many bytes already, and those of `RequestBody.next`.
 */
export async function readBuffered(
  request: FastifyRequest,
  payload: IncomingMessage,
  look: (chunk: Buffer) => void = () => {},
): Promise<Buffer> {
  const limit = routeOf(request).bodyLimit
  const length = request.headers['content-length']
  const declared = Number(length ?? limit)
  if (declared > limit) throw tooLarge(limit)
  if (length !== undefined && declared < LIMITS.heldBytesMin && !payload.destroyed)
    return await readSmallBody(payload, declared, look)
  let smallBytes = 0
  return await new RequestBody(payload, clientSignalOf(request)).readAll(declared, chunk => {
    look(chunk)
    smallBytes += chunk.length
    if (smallBytes < LIMITS.heldBytesMin) return
    holdBody(request, smallBytes)
    smallBytes = 0
  })
}

function tooLarge(limit: number): SockpoolError {
  return new SockpoolError('BODY_TOO_LARGE', `the body is larger than ${limit} bytes`)
}
