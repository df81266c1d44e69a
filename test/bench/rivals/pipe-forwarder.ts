/** Passes bytes on between each client and a connection of its own. `node pipe-forwarder.ts '{"port"}'`. */
import { type AddressInfo, connect, createServer } from 'node:net'

const { port } = JSON.parse(process.argv[2] ?? '{}') as { readonly port: number }

const server = createServer({ noDelay: true }, client => {
  const target = connect({ host: '127.0.0.1', port, noDelay: true })
  client.pipe(target)
  target.pipe(client)
  client.on('error', () => target.destroy())
  target.on('error', () => client.destroy())
  client.on('close', () => target.destroy())
})
server.listen({ host: '127.0.0.1', port: 0, backlog: 1_024 }, () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit())
