/** Peers that are asked for TLS on a connection that began in plain text: any first bytes ask for it. */
import { createServer, type TLSSocket } from 'node:tls'
import { startTestServer, type TestServer } from './test-server.ts'
import { testCertificate } from './tls-certs.ts'

export type StartTlsTraits = {
  /** Milliseconds that it waits, once it is asked, until it listens for the handshake. */
  readonly afterMs?: number
  /** What it does once TLS is up; default: it echoes. */
  readonly secured?: (socket: TLSSocket) => void
}

/** One that starts TLS. */
export async function startTlsPeer(traits: StartTlsTraits = {}): Promise<TestServer> {
  const { afterMs = 0, secured = socket => void socket.pipe(socket) } = traits
  const tlsServer = createServer({ ...(await testCertificate()), allowHalfOpen: false }, secured)
  tlsServer.on('tlsClientError', (_error, socket) => socket.destroy())
  return await startTestServer(socket => {
    socket.once('data', () => {
      socket.write('ready\n')
      socket.pause()
      setTimeout(() => tlsServer.emit('connection', socket), afterMs)
    })
  })
}

/** One that says it would and does not: it answers the handshake in plain text, and tells what it has got. */
export async function startDeafPeer(): Promise<{
  readonly server: TestServer
  readonly received: () => string
}> {
  let received = ''
  const server = await startTestServer(socket => {
    socket.once('data', () => {
      socket.write('ready\n')
      socket.on('data', bytes => {
        received += bytes.toString('latin1')
        socket.write('what is this?\n')
      })
    })
  })
  return { server, received: () => received }
}
