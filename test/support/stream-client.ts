/** A client of `GET /v1/leases/{id}/stream`, and what it has been told so far. */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { type ClientOptions, WebSocket } from 'ws'
import { within } from './service-process.ts'

/** Milliseconds until a stream that should have said something has not. */
const STREAM_TIMEOUT_MS = 10_000

export type StreamEndSeen = { readonly code: number; readonly reason: string }

export class StreamClient {
  readonly socket: WebSocket
  readonly #texts: Readonly<Record<string, unknown>>[] = []
  #bytes: Buffer[] = []
  #length = 0
  #end: StreamEndSeen | null = null
  #wake = Promise.withResolvers<void>()

  constructor(socket: WebSocket) {
    this.socket = socket
    // How a stream ends is asked of its close; here an error is one way to end.
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => {
      if (isBinary) {
        this.#bytes.push(data as Buffer)
        this.#length += (data as Buffer).length
      } else this.#texts.push(JSON.parse(String(data)) as Record<string, unknown>)
      this.#changed()
    })
    socket.on('close', (code, reason) => {
      this.#end = { code, reason: reason.toString() }
      this.#changed()
    })
  }

  get received(): Buffer {
    return Buffer.concat(this.#bytes)
  }

  get length(): number {
    return this.#length
  }

  /** Texts that were not asked for yet. */
  get texts(): readonly Readonly<Record<string, unknown>>[] {
    return this.#texts
  }

  /** All bytes, once there are so many. */
  async bytes(count: number): Promise<Buffer> {
    await this.#until(() => this.#length >= count, `${count} bytes`)
    return this.received
  }

  /** The next text that nobody has asked for. */
  async text(): Promise<Readonly<Record<string, unknown>>> {
    await this.#until(() => this.#texts.length > 0, 'a text')
    return this.#texts.shift() ?? {}
  }

  /** Resolves when the stream is closed. */
  async ended(): Promise<StreamEndSeen> {
    while (this.#end === null)
      await within(STREAM_TIMEOUT_MS, this.#wake.promise, 'the stream was not closed')
    return this.#end
  }

  send(message: string | Buffer | object): void {
    const isPlain = typeof message === 'string' || Buffer.isBuffer(message)
    this.socket.send(isPlain ? message : JSON.stringify(message))
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      if (this.#end !== null)
        throw new Error(`the stream closed (${JSON.stringify(this.#end)}) before ${what}`)
      await within(STREAM_TIMEOUT_MS, this.#wake.promise, `not seen: ${what}`)
    }
  }

  #changed(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }
}

/** Opens a stream and resolves once the service has answered 101. `path`: behind the service's `/v1/leases/`. */
export function openStream(url: string, path: string, options: ClientOptions = {}): Promise<StreamClient> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/leases/${path}`, 'sockpool.v1', options)
  const client = new StreamClient(socket)
  const opened = new Promise<StreamClient>((resolve, reject) => {
    socket.once('open', () => resolve(client))
    socket.once('unexpected-response', (_request: ClientRequest, response: IncomingMessage) => {
      reject(new Error(`the service answered ${response.statusCode}`))
      response.destroy()
    })
    socket.once('error', reject)
  })
  return within(STREAM_TIMEOUT_MS, opened, 'the stream was not opened')
}
