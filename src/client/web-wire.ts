/** The service by `fetch` and `WebSocket`, which browsers, Deno and Bun have alike. */
import { SockpoolError } from '../base/errors.ts'
import {
  STREAM_PROTOCOL,
  TOKEN_PROTOCOL,
  type Wire,
  type WireAnswer,
  type WireEars,
  WireFailure,
  type WireOptions,
  type WireRequest,
  type WireSocket,
} from './wire.ts'

/** Errors: UNSUPPORTED for a unix socket, or for certificates, which the runtime alone decides upon. */
export function openWebWire(options: WireOptions): Wire {
  if (options.socketPath !== null)
    throw new SockpoolError('UNSUPPORTED', 'a unix socket can be reached from Node alone')
  if (options.tls !== null)
    throw new SockpoolError(
      'UNSUPPORTED',
      'tls can be set on Node alone: here the runtime judges certificates',
    )
  return new WebWire(options)
}

class WebWire implements Wire {
  readonly hearsPings = false
  readonly #base: string
  readonly #token: string | null

  constructor({ base, token }: WireOptions) {
    this.#base = base
    this.#token = token
  }

  async request({ method, path, headers, body, signal }: WireRequest): Promise<WireAnswer> {
    const authorization = this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }
    try {
      const response = await fetch(`${this.#base}${path}`, {
        method,
        headers: { ...headers, ...authorization },
        // The types of a body leave out bytes in shared memory, which no caller has.
        body: body as string | Uint8Array<ArrayBuffer> | null,
        signal,
        redirect: 'error',
        credentials: 'omit',
      })
      const bytes = Buffer.from(await response.arrayBuffer())
      return { status: response.status, header: name => response.headers.get(name), bytes }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      // How far it came is nobody's to know here.
      throw new WireFailure(error, false)
    }
  }

  openSocket(path: string, ears: WireEars): WireSocket {
    const token = this.#token === null ? [] : [`${TOKEN_PROTOCOL}${this.#token}`]
    const socket = new WebSocket(`ws${this.#base.slice('http'.length)}${path}`, [STREAM_PROTOCOL, ...token])
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => ears.opened()
    socket.onmessage = ({ data }: MessageEvent) => {
      if (typeof data === 'string') ears.text(data)
      else ears.bytes(new Uint8Array(data as ArrayBuffer))
    }
    socket.onclose = ({ code, reason }) => ears.closed(code, reason)
    return {
      send: data => socket.send(data as string | Uint8Array<ArrayBuffer>),
      close: () => socket.close(1000),
      drop: () => {
        socket.onopen = null
        socket.onmessage = null
        socket.onclose = null
        socket.close()
      },
    }
  }

  close(): void {
    // The runtime keeps connections, and lets go of them.
  }
}
