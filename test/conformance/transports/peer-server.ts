/** A server whose every connection is scripted by the case that opened it. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { watchLeaks } from '../../support/leak-watch.ts'
import { testCertificate } from '../../support/tls-certs.ts'
import type { Peer } from '../transport.ts'

export type ServedConnection = {
  /** Where bytes are written and read, TLS or not. */
  readonly stream: Socket
  /** The socket beneath: the one that can be reset. */
  readonly socket: Socket
}

export type PeerServer = {
  readonly port: number
  readonly ca: string
  readonly next: () => Promise<ServedConnection>
}

/** Starts a server that closes with its test, whatever the case has left open on its side. */
export async function startPeerServer(tls: boolean): Promise<PeerServer> {
  watchLeaks()
  const certificate = tls ? await testCertificate() : null
  const sockets = new Set<Socket>()
  const served: ServedConnection[] = []
  const server: Server = createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect: !tls },
    socket => {
      sockets.add(socket)
      const stream = certificate ? new TLSSocket(socket, { isServer: true, ...certificate }) : socket
      // A reset connection is what the case sees of it at its own end.
      for (const half of new Set([socket, stream])) half.on('error', () => 'seen at the other end')
      const serve = (): void => {
        served.push({ stream, socket })
        server.emit('served')
      }
      // A client of TLS 1.3 is connected before its server is; a reset meanwhile would not be one of the stream.
      if (stream instanceof TLSSocket) stream.once('secure', serve)
      else serve()
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    port: address.port,
    ca: certificate?.cert ?? '',
    next: async () => {
      for (;;) {
        const connection = served.shift()
        if (connection) return connection
        await once(server, 'served')
      }
    },
  }
}

/** Takes bytes only when it is asked for them. */
export function socketPeer(stream: Socket): Peer {
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
