/** The handshake of a WebSocket, and the bounds of what comes over it. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws'
import { LIMITS } from '../../base/limits.ts'
import { endWith } from '../door/raw-answers.ts'
import type { LeftHttp } from '../door/upgrades.ts'
import { invalidField, rawProblem } from '../problems.ts'

const SUBPROTOCOL = 'sockpool.v1'
const KEY = /^[+/0-9A-Za-z]{22}==$/

/** Tells of its close before it says so to its client, who may ask for the lease as soon as it hears of that. */
class TellingWebSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    this.emit('closing')
    super.close(code, reason)
  }
}

/** `closeTimeout` is newer than the types. */
const OPTIONS: ServerOptions & { readonly closeTimeout: number } = {
  noServer: true,
  WebSocket: TellingWebSocket,
  clientTracking: false,
  // A hostile client would have the service inflate what it never sent.
  perMessageDeflate: false,
  maxPayload: LIMITS.streamMessageBytesMax,
  closeTimeout: LIMITS.streamCloseMs,
  handleProtocols: offered => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
}

export class WebSocketDoor {
  readonly #server = new WebSocketServer(OPTIONS)

  constructor() {
    this.#server.on('wsClientError', (error: Error, socket: Duplex) =>
      endWith(socket, rawProblem(invalidField('upgrade', error.message))),
    )
  }

  /** Judges a handshake before anything else happens. Errors: INVALID_REQUEST. */
  check(headers: IncomingHttpHeaders): void {
    if (!KEY.test(headers['sec-websocket-key'] ?? ''))
      throw invalidField('sec-websocket-key', 'must be 16 bytes in base64')
    if (headers['sec-websocket-version'] !== '13') throw invalidField('sec-websocket-version', 'must be 13')
    const offered = headers['sec-websocket-protocol']
    if (offered === undefined) return
    if (!offered.split(',').some(name => name.trim() === SUBPROTOCOL))
      throw invalidField('sec-websocket-protocol', `must offer ${SUBPROTOCOL}`)
  }

  /** Answers 101. Null where the client turned out to have sent no handshake: it has been told. */
  open(request: IncomingMessage, { socket, head }: LeftHttp): WebSocket | null {
    let opened: WebSocket | null = null
    this.#server.handleUpgrade(request, socket, head, client => {
      opened = client
    })
    return opened
  }
}
