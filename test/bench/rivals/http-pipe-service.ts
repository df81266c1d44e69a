/**
 * Bytes of a TCP peer to an HTTP client by `pipe`: `GET /bulk?bytes=N` orders so many on a connection of its own.
 * `node http-pipe-service.ts '{"port"}'`.
 */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { orderFor } from '../peers/orders.ts'

const { port } = JSON.parse(process.argv[2] ?? '{}') as { readonly port: number }

const server = createServer((request, response) => {
  const bytes = Number(new URL(request.url ?? '', 'http://localhost').searchParams.get('bytes'))
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes })
  let left = bytes
  socket.on('data', chunk => {
    left -= chunk.length
    if (left === 0) socket.destroy()
  })
  socket.pipe(response)
  socket.on('close', () => response.end())
  socket.write(orderFor(bytes))
})
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit())
