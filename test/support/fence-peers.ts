/** A server whose connections keep every byte that came, for a test that asks afterwards whose bytes they were. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { within } from './service-process.ts'

/** Milliseconds until what should have come has not. */
export const PATIENCE_MS = 10_000

export class FencePeer {
  readonly #socket: Socket
  readonly #chunks: Buffer[] = []
  #count = 0
  #heard: (() => void) | null = null
  readonly closed: Promise<void>

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#count += chunk.length
      this.#heard?.()
    })
    // However a connection ends, what it got is what is asked about.
    socket.on('error', () => {})
    this.closed = new Promise(resolve => {
      socket.once('close', () => {
        resolve()
        this.#heard?.()
      })
    })
  }

  get count(): number {
    return this.#count
  }

  get isClosed(): boolean {
    return this.#socket.closed
  }

  /** Everything that came, a byte a character. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1')
  }

  /** Resolves when so many bytes have come in all. */
  async received(count: number): Promise<void> {
    const arrived = async (): Promise<void> => {
      while (this.#count < count) {
        if (this.#socket.closed)
          throw new Error(`the connection closed after ${this.#count} of ${count} bytes`)
        await new Promise<void>(resolve => (this.#heard = resolve))
      }
    }
    await within(PATIENCE_MS, arrived(), `the peer has ${this.#count} bytes and did not get ${count}`)
  }

  send(text: string): void {
    this.#socket.write(text)
  }

  /** Takes nothing out of the kernel until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Ends its direction, and reads on. */
  end(): void {
    this.#socket.end()
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

export class FencePeers {
  readonly port: number
  /** Connections accepted so far. */
  accepted = 0
  readonly #server: Server
  readonly #open = new Map<number, { readonly peer: FencePeer; readonly socket: Socket }>()
  #came: (() => void)[] = []

  constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', socket => this.#admit(socket))
  }

  static async listen(): Promise<FencePeers> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 })
    await once(server, 'listening')
    return new FencePeers(server)
  }

  /** The connection that comes from this port. */
  async from(port: number): Promise<FencePeer> {
    const found = async (): Promise<FencePeer> => {
      for (;;) {
        const open = this.#open.get(port)
        if (open) return open.peer
        await new Promise<void>(resolve => this.#came.push(resolve))
      }
    }
    return await within(PATIENCE_MS, found(), `no connection came from port ${port}`)
  }

  async close(): Promise<void> {
    for (const { socket } of this.#open.values()) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #admit(socket: Socket): void {
    const { remotePort: port } = socket
    this.accepted++
    // It was reset before it was accepted.
    if (port === undefined) return void socket.destroy()
    const peer = new FencePeer(socket)
    this.#open.set(port, { peer, socket })
    socket.once('close', () => {
      if (this.#open.get(port)?.peer === peer) this.#open.delete(port)
    })
    for (const told of this.#came.splice(0)) told()
  }
}
