/**
 * The order of the requests that one connection sends ahead of their answers. They are served in turn wherever one of them
 * changes something: a release that is sent behind a read must not overtake it. GET and HEAD run side by side.
 *
 *   a request starts ► it is the first that is not answered, or it and all before it are GET or HEAD
 *   an answer ends the connection ► what was sent behind it is never begun
 */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LIMITS } from '../../base/limits.ts'

type HttpSocket = FastifyRequest['raw']['socket']

interface Turn {
  readonly isSafe: boolean
  readonly start: () => void
  isStarted: boolean
}

class RequestTurns {
  readonly #socket: HttpSocket
  readonly #timeoutMs: number
  /** Requests without their answer, in the order in which they came. */
  #open: Turn[] = []
  #count = 0
  #isEnding = false

  /** `timeoutMs`: the silence that the server allows a connection. */
  constructor(socket: HttpSocket, timeoutMs: number) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    // Node forgets what still waited for its turn.
    socket.once('close', () => {
      this.#open = []
    })
  }

  /** Requests that came so far. */
  get count(): number {
    return this.#count
  }

  /** Calls `start` when it is this request's turn; never, where an answer before it ends the connection. */
  enter(isSafe: boolean, response: ServerResponse, start: () => void): void {
    this.#count++
    if (this.#isEnding) return
    // The client has said that this is its last request.
    if (!response.shouldKeepAlive) this.#isEnding = true
    const turn = { isSafe, start, isStarted: false }
    this.#open.push(turn)
    response.once('close', () => this.#leave(turn))
    if (this.#open.length > LIMITS.httpPipelinedMax) this.#socket.pause()
    this.#startNext()
  }

  /** An answer ends the connection. */
  end(): void {
    this.#isEnding = true
    this.#open = this.#open.filter(turn => turn.isStarted)
  }

  #leave(turn: Turn): void {
    this.#open = this.#open.filter(other => other !== turn)
    if (this.#open.length === 0) return
    // A large answer had set a shorter one, and Node sets its own again only once nothing is left to answer.
    this.#socket.setTimeout(this.#timeoutMs)
    if (this.#open.length === LIMITS.httpPipelinedMax) this.#socket.resume()
    this.#startNext()
  }

  #startNext(): void {
    let isSafe = true
    for (const [place, turn] of this.#open.entries()) {
      isSafe &&= turn.isSafe
      if (place > 0 && !isSafe) return
      if (turn.isStarted) continue
      turn.isStarted = true
      turn.start()
    }
  }
}

/**
 * Lets each request in when it is its turn. At the last request of a connection Node announces its end and from then on
 * answers 503, but it never ends the connection; so the last answer ends it here.
 */
export function registerRequestTurns(app: FastifyInstance): void {
  const connections = new WeakMap<object, RequestTurns>()
  const turnsOf = (socket: HttpSocket): RequestTurns => {
    const turns = connections.get(socket) ?? new RequestTurns(socket, app.server.timeout)
    connections.set(socket, turns)
    return turns
  }
  app.addHook('onRequest', (request, reply, done) => {
    const { method, socket } = request.raw
    const turns = turnsOf(socket)
    turns.enter(method === 'GET' || method === 'HEAD', reply.raw, done)
    if (turns.count >= LIMITS.httpRequestsPerSocketMax) reply.header('connection', 'close')
  })
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (reply.getHeader('connection') === 'close') connections.get(request.raw.socket)?.end()
    done()
  })
}
