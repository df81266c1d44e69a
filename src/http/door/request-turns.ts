/**
 * The order of the requests that one connection sends ahead of their answers. They are served in turn wherever one of them
 * changes something: a release that is sent behind a read must not overtake it. GET and HEAD run side by side.
 *
 *   a request starts ► it is the first that is not answered, or it and all before it are GET or HEAD
 *   an answer ends the connection ► what was sent behind it is never begun
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { LIMITS } from '../../base/limits.ts'

type HttpSocket = FastifyRequest['raw']['socket']

interface Turn {
  readonly request: IncomingMessage
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
  /** What is sent once nothing is open any more. */
  #last: (() => void) | null = null

  /** `timeoutMs`: the silence that the server allows a connection. */
  constructor(socket: HttpSocket, timeoutMs: number) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    // Node forgets what still waited for its turn.
    socket.once('close', () => {
      this.#open = []
      this.#last = null
    })
  }

  /**
   * Calls `start` when it is this request's turn, with its place among all that the connection has sent, from 1; never,
   * where an answer before it ends the connection.
   */
  enter(request: IncomingMessage, response: ServerResponse, begin: (place: number) => void): void {
    const place = ++this.#count
    const start = (): void => begin(place)
    if (this.#isEnding) return
    // The client has said that this is its last request.
    if (!response.shouldKeepAlive) this.#isEnding = true
    const isSafe = request.method === 'GET' || request.method === 'HEAD'
    const turn = { request, isSafe, start, isStarted: false }
    this.#open.push(turn)
    response.on('close', () => this.#leave(turn))
    if (this.#open.length > LIMITS.httpPipelinedMax) this.#socket.pause()
    this.#startNext()
  }

  /** An answer ends the connection. */
  end(): void {
    this.#isEnding = true
    this.#open = this.#open.filter(turn => turn.isStarted)
  }

  /** What came next was no request: `answer` follows the answers to those that came whole. */
  fail(answer: () => void): void {
    this.#isEnding = true
    // Of these only the newest can lack the end of its body, and then it is the one that is answered so.
    this.#open = this.#open.filter(turn => turn.request.complete)
    if (this.#open.length === 0) answer()
    else this.#last = answer
  }

  #leave(turn: Turn): void {
    const open = this.#open
    if (open[0] === turn) open.shift()
    else this.#open = open.filter(other => other !== turn)
    if (this.#open.length === 0) return this.#end()
    // A large answer had set a shorter one, and Node sets its own again only once nothing is left to answer.
    this.#socket.setTimeout(this.#timeoutMs)
    if (this.#open.length === LIMITS.httpPipelinedMax) this.#socket.resume()
    this.#startNext()
  }

  #end(): void {
    const answer = this.#last
    this.#last = null
    answer?.()
  }

  #startNext(): void {
    let isSafe = true
    let isFirst = true
    for (const turn of this.#open) {
      isSafe &&= turn.isSafe
      if (!isFirst && !isSafe) return
      isFirst = false
      if (turn.isStarted) continue
      turn.isStarted = true
      turn.start()
    }
  }
}

const connections = new WeakMap<object, RequestTurns>()

/** Runs `answer` after the answers to all that this connection has asked for: it is the last one. */
export function afterAnswers(socket: object, answer: () => void): void {
  const turns = connections.get(socket)
  if (turns) turns.fail(answer)
  else answer()
}

/** As `afterAnswers`, where the connection leaves HTTP: what is answered on it then has a turn of its own. */
export function afterLastAnswer(socket: object, next: () => void): void {
  const turns = connections.get(socket)
  connections.delete(socket)
  if (turns) turns.fail(next)
  else next()
}

/**
 * Calls `start` when it is the request's turn, with its place among all that the connection has sent. `timeoutMs`: the
 * silence that the server allows a connection.
 */
export function takeTurn(
  request: IncomingMessage,
  response: ServerResponse,
  timeoutMs: number,
  start: (place: number) => void,
): void {
  turnsOf(request.socket, timeoutMs).enter(request, response, start)
}

function turnsOf(socket: HttpSocket, timeoutMs: number): RequestTurns {
  const known = connections.get(socket)
  if (known !== undefined) return known
  const turns = new RequestTurns(socket, timeoutMs)
  connections.set(socket, turns)
  return turns
}

/** The answer that is being given is the connection's last: what was sent behind its request is never begun. */
export function endTurns(socket: object): void {
  connections.get(socket)?.end()
}

/**
 * Lets each request in when it is its turn. At the last request of a connection Node announces its end and from then on
 * answers 503, but it never ends the connection; so the last answer ends it here.
 */
export function registerRequestTurns(
  app: FastifyInstance,
  requestsMax: number = LIMITS.httpRequestsPerSocketMax,
): void {
  app.addHook('onRequest', (request, reply, done) => {
    takeTurn(request.raw, reply.raw, app.server.timeout, place => {
      if (place >= requestsMax) reply.header('connection', 'close')
      done()
    })
  })
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (reply.getHeader('connection') === 'close') endTurns(request.raw.socket)
    done()
  })
}
