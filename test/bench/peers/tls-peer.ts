/**
 * The far end of rows that speak TLS. Its parent sends the certificate, and gets the ports: `echo` sends back what it gets,
 * `bulk` sends as many bytes as 8 bytes, a big-endian count, ask for.
 */
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { sendOrdered } from './orders.ts'

export type TlsPorts = { readonly echo: number; readonly bulk: number }

export type TlsIdentity = { readonly cert: string; readonly key: string }

const fill = Buffer.alloc(262_144, 0x61)

function listen(identity: TlsIdentity, serve: (socket: TLSSocket) => void): Promise<number> {
  const server = createServer(identity, socket => {
    socket.on('error', () => socket.destroy())
    socket.setNoDelay(true)
    serve(socket)
  })
  server.on('tlsClientError', () => {})
  return new Promise(resolve => {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1_024 }, () => {
      resolve((server.address() as AddressInfo).port)
    })
  })
}

process.on('message', async (identity: TlsIdentity) => {
  const echo = await listen(identity, socket => socket.on('data', chunk => socket.write(chunk)))
  const bulk = await listen(identity, socket => sendOrdered(socket, fill))
  process.send?.({ echo, bulk } satisfies TlsPorts)
})
process.on('disconnect', () => process.exit())
