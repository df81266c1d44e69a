/** The service by `fetch` and `WebSocket`, which browsers, Deno and Bun have alike. */
import {
  STREAM_PROTOCOL,
  TOKEN_PROTOCOL,
  type Wire,
  type WireAnswer,
  type WireEars,
  WireFailure,
  type WireRequest,
  type WireSocket,
} from './wire.ts'

/** `base`: `http:` or `https:`, without a slash at its end. */
export function openWebWire(base: string, token: string | null): Wire {
  return new WebWire(base, token)
}

class WebWire implements Wire {
  readonly hearsPings = false
  readonly #base: string
  readonly #token: string | null

  constructor(base: string, token: string | null) {
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
