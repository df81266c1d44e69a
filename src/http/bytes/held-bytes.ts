/**
 * Bytes that the service holds in memory for its callers: bodies that are being read, and answers that wait for a client
 * which does not read them. Each token has a bound, and so has the whole service; past it, requests that would bring
 * more are refused before their work begins. A request's bytes are free again when its answer has left, or when its
 * connection is gone.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { giveBackMemory } from '../../base/large-memory.ts'
import { LIMITS } from '../../base/limits.ts'
import { quietCollection } from '../../base/quiet-collection.ts'
import { pacedAnswer } from './paced-answer.ts'

/** What one token, or all of them together, may have in memory. */
export class HeldBytes {
  readonly #owner: string
  readonly #bytesMax: number
  readonly #whole: HeldBytes | null
  readonly #tally: ByteTally

  /** `owner` names who has reached the bound. `whole`: what these bytes are a part of. `tally`: where several threads count. */
  constructor(
    owner: string,
    bytesMax: number,
    whole: HeldBytes | null = null,
    tally: ByteTally = new OwnBytes(),
  ) {
    this.#owner = owner
    this.#bytesMax = bytesMax
    this.#whole = whole
    this.#tally = tally
  }

  get bytes(): number {
    return this.#tally.bytes
  }

  /** Errors: QUEUE_FULL where these bytes, or those of the whole, have reached their bound. */
  checkRoom(more: number): void {
    this.#whole?.checkRoom(more)
    const { bytes } = this.#tally
    if (bytes === 0 || bytes + more <= this.#bytesMax) return
    throw new SockpoolError(
      'QUEUE_FULL',
      `${bytes} bytes of bodies and unread answers are held for ${this.#owner}, of at most ` +
        `${this.#bytesMax}; read the answers that are on their way, then ask again`,
    )
  }

  /** Counts bytes that are in memory now; a negative number takes them off again. */
  add(bytes: number): void {
    this.#tally.addBytes(bytes)
    this.#whole?.add(bytes)
  }
}

/** Where bytes are counted. */
export interface ByteTally {
  readonly bytes: number
  addBytes(bytes: number): void
}

class OwnBytes implements ByteTally {
  bytes = 0

  addBytes(bytes: number): void {
    this.bytes += bytes
  }
}

/** The bounds that follow from the largest body: of one token, and of the whole service. */
export function heldBytesBounds(bodyBytesMax: number): { readonly token: number; readonly service: number } {
  const token = Math.max(LIMITS.heldBytesFloor, LIMITS.heldBodiesMax * bodyBytesMax)
  return { token, service: LIMITS.heldTokensMax * token }
}

/** The name under which a request keeps the bytes of its caller's token. */
export const HELD_BYTES = 'heldBytes'

/** What each request holds, until its answer has left or its connection is gone. Small requests hold nothing. */
const holds = new WeakMap<FastifyRequest, Hold>()

/**
 * Counts every large answer from the moment it is sent, cuts the connection of a client that takes none of it, and sends a
 * very large one by turns.
 */
export function registerHeldBytes(app: FastifyInstance): void {
  app.decorateRequest(HELD_BYTES, null)
  const quiet = quietCollection()
  app.addHook('onClose', (_app, done) => {
    quiet.stop()
    done()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    const bytes = bytesOfPayload(payload)
    if (bytes >= LIMITS.heldBytesMin) {
      hold(request, bytes)
      cutWhenStalled(request, reply)
    }
    if (bytes < LIMITS.pacedAnswerBytesMin || request.method === 'HEAD') return done()
    reply.header('content-length', bytes)
    const answer = bufferOf(payload)
    // The response closes when the kernel has its last byte, or its connection is gone.
    reply.raw.once('close', () => giveBackMemory(answer))
    done(null, pacedAnswer(answer))
  })
  app.addHook('onResponse', (request, _reply, done) => {
    const held = holds.get(request)
    quiet.answered()
    if (held !== undefined) quiet.passed(held.bytes)
    held?.end()
    done()
  })
}

/** Errors: QUEUE_FULL where the caller, or the whole service, holds as much as it may. */
export function checkRoomForAnswer(request: FastifyRequest): void {
  heldBytesOf(request)?.checkRoom(LIMITS.heldBytesMin)
}

/** Counts bytes of a body that is kept until its answer has left. Errors: QUEUE_FULL. */
export function holdBody(request: FastifyRequest, bytes: number): void {
  heldBytesOf(request)?.checkRoom(bytes)
  hold(request, bytes)
}

/** What a request holds while its body comes and its answer goes: more as more is needed, until its answer has left. */
export class GrowingHold {
  readonly #request: FastifyRequest
  #bytes = 0

  constructor(request: FastifyRequest) {
    this.#request = request
  }

  /** Holds so many bytes in all. Errors: QUEUE_FULL. */
  cover(bytes: number): void {
    if (bytes < LIMITS.heldBytesMin || bytes <= this.#bytes) return
    const step = LIMITS.parseStreamHeldBytes
    const more = Math.ceil(bytes / step) * step - this.#bytes
    holdBody(this.#request, more)
    this.#bytes += more
  }

  /** As `cover`, and says whether there was room. */
  tryCover(bytes: number): boolean {
    try {
      this.cover(bytes)
      return true
    } catch (error) {
      if (error instanceof SockpoolError && error.code === 'QUEUE_FULL') return false
      throw error
    }
  }
}

class Hold {
  readonly #request: FastifyRequest
  readonly #owner: HeldBytes
  #bytes = 0

  constructor(request: FastifyRequest, owner: HeldBytes) {
    this.#request = request
    this.#owner = owner
    request.raw.socket.once('close', this.end)
  }

  get bytes(): number {
    return this.#bytes
  }

  add(bytes: number): void {
    this.#bytes += bytes
    this.#owner.add(bytes)
  }

  /** Safe to call twice. */
  readonly end = (): void => {
    this.#owner.add(-this.#bytes)
    this.#bytes = 0
    holds.delete(this.#request)
    this.#request.raw.socket.off('close', this.end)
  }
}

function hold(request: FastifyRequest, bytes: number): void {
  const owner = heldBytesOf(request)
  // Of a connection that is gone nothing is kept, and nothing would take the bytes off again.
  if (owner === null || request.raw.socket.destroyed) return
  const held = holds.get(request) ?? new Hold(request, owner)
  holds.set(request, held)
  held.add(bytes)
}

/** A client may take its time over an answer, but not stop: Node moves the bound on as long as bytes leave. */
function cutWhenStalled(request: FastifyRequest, reply: FastifyReply): void {
  const { httpAnswerStallMs: stallMs } = LIMITS
  reply.raw.setTimeout(stallMs, () => {
    request.log.info({ stallMs }, 'a client did not read its answer and was cut off')
    request.raw.socket.destroy()
  })
}

function heldBytesOf(request: FastifyRequest): HeldBytes | null {
  return request.getDecorator<HeldBytes | null>(HELD_BYTES)
}

/** A payload with bytes: a Buffer or a text. */
function bufferOf(payload: unknown): Buffer {
  return Buffer.isBuffer(payload) ? payload : Buffer.from(String(payload))
}

function bytesOfPayload(payload: unknown): number {
  if (Buffer.isBuffer(payload)) return payload.length
  // A character has at most three bytes in UTF-8.
  if (typeof payload !== 'string' || payload.length * 3 < LIMITS.heldBytesMin) return 0
  return Buffer.byteLength(payload)
}
