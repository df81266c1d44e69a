/**
 * The embedded upstream of the demo, in a thread of its own: two servers on 127.0.0.1 that echo what they get, one
 * plain and one over TLS. The certificate is made at start and lives only in memory; its holder is told of it in the
 * one message this thread sends. Any message to this thread stops it.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { parentPort } from 'node:worker_threads'
import { generate } from 'selfsigned'
import { DEMO_HOST, DEMO_SERVERNAME, type DemoAnnouncement } from '../src/threads/demo-upstream.ts'

const sockets = new Set<Socket>()

// pipe() keeps the peer's pace, and with half-open sockets its FIN comes back only after its last byte has.
function echo(socket: Socket): void {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, DEMO_HOST, () => {
      const address = server.address()
      if (typeof address === 'object' && address !== null) resolve(address.port)
      else reject(new Error('the server has no port'))
    })
  })
}

const pems = await generate([{ name: 'commonName', value: DEMO_SERVERNAME }], {
  keyType: 'ec',
  algorithm: 'sha256',
  extensions: [
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true },
    { name: 'extKeyUsage', serverAuth: true },
    {
      name: 'subjectAltName',
      altNames: [
        { type: 2, value: DEMO_SERVERNAME },
        { type: 7, ip: DEMO_HOST },
      ],
    },
  ],
})
const plain = createServer({ allowHalfOpen: true, noDelay: true }, echo)
const secure = createTlsServer(
  { allowHalfOpen: true, noDelay: true, key: pems.private, cert: pems.cert },
  echo,
)
// A client that the system could not hand over; unheard, the error would end the thread.
for (const server of [plain, secure]) server.on('error', () => {})
// A handshake may fail at the peer's will; the socket is gone by then and there is nothing to echo.
secure.on('tlsClientError', (_error, socket) => socket.destroy())

parentPort?.once('message', () => {
  plain.close()
  secure.close()
  for (const socket of sockets) socket.destroy()
})
const announcement: DemoAnnouncement = {
  plainPort: await listen(plain),
  tlsPort: await listen(secure),
  ca: pems.cert,
}
parentPort?.postMessage(announcement)
