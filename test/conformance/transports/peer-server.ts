/** A server whose every connection is scripted by the case that opened it. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { testCertificate } from '../../support/tls-certs.ts'
import type { Peer } from '../transport.ts'

export type ServedConnection = {
  /** Where bytes are written and read, TLS or not. */
  readonly stream: Socket
  /** The socket beneath: the one that can be reset. */
  readonly socket: Socket
  readonly peer: Peer
}

export class PeerServer {
  readonly port: number
  /** The authority of its certificate; empty where it speaks plain text. */
  readonly ca: string
  readonly #server: Server
  readonly #sockets: ReadonlySet<Socket>
  readonly #served: ReadonlyMap<number, ServedConnection>

  private constructor(
    server: Server,
    ca: string,
    sockets: ReadonlySet<Socket>,
    served: ReadonlyMap<number, ServedConnection>,
  ) {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the server has no port')
    this.port = address.port
    this.ca = ca
    this.#server = server
    this.#sockets = sockets
    this.#served = served
  }

  static async start(isTls: boolean): Promise<PeerServer> {
    const certificate = isTls ? await testCertificate() : null
    const sockets = new Set<Socket>()
    const served = new Map<number, ServedConnection>()
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: !isTls }, socket => {
      const { remotePort = 0 } = socket
      sockets.add(socket)
      const stream = certificate ? new TLSSocket(socket, { isServer: true, ...certificate }) : socket
      // A reset connection is what the case sees of it at its own end.
      for (const half of new Set([socket, stream])) half.on('error', () => 'seen at the other end')
      const serve = (): void => {
        served.set(remotePort, { stream, socket, peer: socketPeer(stream) })
        server.emit('served')
      }
      socket.once('close', () => {
        sockets.delete(socket)
        served.delete(remotePort)
      })
      // A client of TLS 1.3 is connected before its server is; a reset meanwhile would not be one of the stream.
      if (stream instanceof TLSSocket) stream.once('secure', serve)
      else serve()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new PeerServer(server, certificate?.cert ?? '', sockets, served)
  }

  /** The connection whose other end has that port. */
  async connectionOf(port: number): Promise<ServedConnection> {
    for (;;) {
      const connection = this.#served.get(port)
      if (connection) return connection
      await once(this.#server, 'served')
    }
  }

  /** Ends all connections, whatever a case has left open on this side. */
  async clear(): Promise<void> {
    await Promise.all(
      [...this.#sockets].map(socket => {
        const closed = socket.closed ? null : once(socket, 'close')
        socket.destroy()
        return closed
      }),
    )
  }

  async close(): Promise<void> {
    await this.clear()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

/** Takes bytes only when it is asked for them. */
function socketPeer(stream: Socket): Peer {
  let got = ''
  let hasEnded = false
  const ended = new Promise<void>(resolve => {
    const end = (): void => {
      hasEnded = true
      resolve()
    }
    stream.once('end', end)
    stream.once('close', end)
  })
  const taken = (): string => {
    const chunk: Buffer | null = stream.read()
    return chunk?.toString('latin1') ?? ''
  }
  return {
    receive: async count => {
      while (got.length < count) {
        const more = taken()
        if (more === '' && hasEnded) throw new Error(`it ended after ${got.length} of ${count} bytes`)
        if (more === '') await Promise.race([once(stream, 'readable'), ended])
        got += more
      }
      const asked = got.slice(0, count)
      got = got.slice(count)
      return asked
    },
    ended: async () => {
      stream.resume()
      await ended
    },
    close: async () => {
      stream.destroySoon()
      await once(stream, 'close')
    },
  }
}
