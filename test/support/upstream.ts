/**
 * A target whose side of the conversation the test speaks itself: each connection that comes is handed to the
 * test, in order. Nothing is answered by itself.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { within } from './service-process.ts'

/** Milliseconds until a peer that should have come, or sent, has not. */
const PEER_TIMEOUT_MS = 10_000

/** The test's end of one connection. */
export class Peer {
  readonly socket: Socket
  #received = Buffer.alloc(0)
  #ended = false

  constructor(socket: Socket) {
    this.socket = socket
    // How a connection ends is asked of the service; here an error is one way to end.
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
    })
    socket.on('end', () => {
      this.#ended = true
    })
  }

  /** Sends, and resolves when the kernel has taken it. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(data, error => (error ? reject(error) : resolve()))
    })
  }

  /** Ends the writing side. */
  end(data: string | Uint8Array = ''): void {
    this.socket.end(data)
  }

  /** Breaks the connection with RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** What came so far, once it is at least `count` bytes. */
  async received(count: number): Promise<Buffer> {
    await this.#until(() => this.#received.length >= count, `the peer has ${count} bytes`)
    return this.#received
  }

  /** How many bytes came so far. */
  get heard(): number {
    return this.#received.length
  }

  /** What came so far was another lease's: `received` counts from here. */
  forget(): void {
    this.#received = Buffer.alloc(0)
  }

  /** Resolves when the service has ended its writing side, or the whole connection. */
  async ended(): Promise<void> {
    await this.#until(() => this.#ended || this.socket.destroyed, 'the connection ends')
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const turn = async (): Promise<void> => {
      while (!condition()) {
        if (this.socket.destroyed) throw new Error(`the connection closed before ${what}`)
        const stop = new AbortController()
        const { signal } = stop
        const events = ['data', 'end', 'close'].map(event => once(this.socket, event, { signal }))
        for (const event of events) event.catch(() => {})
        await Promise.race(events)
        stop.abort()
      }
    }
    await within(PEER_TIMEOUT_MS, turn(), `not seen: ${what}`)
  }
}

export type Upstream = {
  readonly host: string
  readonly port: number
  /** Connections accepted so far. */
  readonly accepted: number
  /** The next connection that nobody has taken yet. */
  next(): Promise<Peer>
  /**
   * The first connection that nobody has taken yet and that has sent at least `count` bytes. The pool may open one
   * more than it uses: a connection that comes back serves the call for which another is being dialled.
   */
  asking(count: number): Promise<Peer>
  /** The connection that comes from this port, as a lease names it in `connection.localPort`. */
  from(port: number): Promise<Peer>
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1. */
export async function startUpstream(): Promise<Upstream> {
  const sockets = new Set<Socket>()
  const waiting: Peer[] = []
  const byPort = new Map<number | undefined, Peer>()
  let accepted = 0
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    accepted++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    const peer = new Peer(socket)
    waiting.push(peer)
    byPort.set(socket.remotePort, peer)
    server.emit('peer')
    socket.on('data', () => server.emit('heard'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { address: host, port } = server.address() as AddressInfo
  const next = async (): Promise<Peer> => {
    for (;;) {
      const peer = waiting.shift()
      if (peer) return peer
      await once(server, 'peer')
    }
  }
  const asking = async (count: number): Promise<Peer> => {
    for (;;) {
      const place = waiting.findIndex(({ heard }) => heard >= count)
      const [peer] = place < 0 ? [] : waiting.splice(place, 1)
      if (peer) return peer
      await once(server, 'heard')
    }
  }
  const from = async (wanted: number): Promise<Peer> => {
    for (;;) {
      const peer = byPort.get(wanted)
      if (peer) return peer
      await once(server, 'peer')
    }
  }
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  let closed: Promise<void> | undefined
  return {
    host,
    port,
    get accepted() {
      return accepted
    },
    next: () => within(PEER_TIMEOUT_MS, next(), 'no connection came'),
    asking: count => within(PEER_TIMEOUT_MS, asking(count), `no connection sent ${count} bytes`),
    from: wanted => within(PEER_TIMEOUT_MS, from(wanted), `no connection came from port ${wanted}`),
    close: () => {
      closed ??= close()
      return closed
    },
  }
}
