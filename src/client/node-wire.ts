/** The service by Node's own HTTP: over TCP, TLS with certificates of one's own, or a unix socket. */
import { Agent, type AgentOptions, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import { WebSocket } from 'ws'
import { LIMITS } from '../base/limits.ts'
import { activeTraceHeaders } from '../tracing/caller-trace.ts'
import type { NodePlace } from './node-place.ts'
import {
  STREAM_PROTOCOL,
  type Wire,
  type WireAnswer,
  type WireEars,
  WireFailure,
  type WireRequest,
  type WireSocket,
} from './wire.ts'

/** Where the service is, and who calls. */
export type NodeWireOptions = NodePlace & { readonly token: string | null }

export function openNodeWire(options: NodeWireOptions): Wire {
  return new NodeWire(options)
}

class NodeWire implements Wire {
  readonly hearsPings = true
  readonly #base: string
  readonly #authorization: Readonly<Record<string, string>>
  readonly #agent: Agent
  /** Of sockets, which are nobody's after their use. */
  readonly #socketAgent: Agent
  readonly #request: typeof request

  constructor({ base, socketPath, token, tls }: NodeWireOptions) {
    const isTls = base.startsWith('https:')
    this.#base = base
    this.#authorization = token === null ? {} : { authorization: `Bearer ${token}` }
    // Node takes what is undefined for a value; the path of a unix socket is an option of an agent that its types leave out.
    const place: AgentOptions = given({ ...tls, socketPath: socketPath ?? undefined })
    const make = (keepAlive: boolean): Agent =>
      isTls ? new TlsAgent({ ...place, keepAlive }) : new Agent({ ...place, keepAlive })
    // A connection that the service is about to close is left before: its own word is how long it keeps one.
    this.#agent = make(true)
    this.#socketAgent = make(false)
    this.#request = isTls ? tlsRequest : request
  }

  request({ method, path, headers, body, signal }: WireRequest): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      const length = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const sent = this.#request(`${this.#base}${path}`, {
        method,
        agent: this.#agent,
        headers: { ...headers, ...length, ...this.#authorization, ...activeTraceHeaders() },
        signal,
      })
      const reach = new Reach(sent)
      sent.on('error', error => reject(signal.aborted ? signal.reason : reach.failure(error)))
      sent.on('response', response => {
        gather(response).then(
          bytes => resolve(answerOf(response, bytes)),
          error => reject(signal.aborted ? signal.reason : reach.failure(error)),
        )
      })
      sent.end(body ?? undefined)
    })
  }

  openSocket(path: string, ears: WireEars): WireSocket {
    const address = `ws${this.#base.slice('http'.length)}${path}`
    const socket = new WebSocket(address, STREAM_PROTOCOL, {
      headers: { ...this.#authorization, ...activeTraceHeaders() },
      handshakeTimeout: LIMITS.serviceConnectMs,
      perMessageDeflate: false,
      maxPayload: LIMITS.streamMessageBytesMax,
      agent: this.#socketAgent,
    })
    // Its close says all there is to say, with the code of a break.
    socket.on('error', () => 'told by close')
    socket.on('open', () => ears.opened())
    socket.on('ping', () => ears.alive())
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) ears.bytes(data)
      else ears.text(data.toString('utf8'))
    })
    socket.on('close', (code: number, reason: Buffer) => ears.closed(code, reason.toString('utf8')))
    return {
      send: data => socket.send(data),
      close: () => socket.close(1000),
      drop: () => {
        socket.removeAllListeners('close').removeAllListeners('message').removeAllListeners('open')
        socket.terminate()
      },
    }
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** How far a request came, and the end of one whose connection is not made in time. */
class Reach {
  #isConnected = false

  constructor(sent: ClientRequest) {
    sent.once('socket', socket => this.#follow(sent, socket))
  }

  failure(error: unknown): WireFailure {
    return new WireFailure(error, !this.#isConnected)
  }

  #follow(sent: ClientRequest, socket: NonNullable<ClientRequest['socket']>): void {
    if (!socket.connecting) {
      this.#isConnected = true
      return
    }
    const late = (): void => void sent.destroy(new Error('the connection was not made in time'))
    const timer = setTimeout(late, LIMITS.serviceConnectMs)
    const isTls = 'encrypted' in socket
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      this.#isConnected = true
    })
    socket.once('close', () => clearTimeout(timer))
  }
}

async function gather(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function answerOf(response: IncomingMessage, bytes: Buffer): WireAnswer {
  const { statusCode = 0, headers } = response
  const header = (name: string): string | null => {
    const value = headers[name]
    return value === undefined ? null : String(value)
  }
  return { status: statusCode, header, bytes }
}

function given(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
