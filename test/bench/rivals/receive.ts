/** So many bytes in over some `net` or `tls` sockets on the main thread. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { bytesOf } from '../byte-tally.ts'
import type { Runner } from '../hosting/runner.ts'
import { beginDelay } from '../loop-delay.ts'
import { orderFor } from '../peers/orders.ts'

type Options = { readonly port: number; readonly ca: string | null; readonly connections: number }

const MIB = 1_048_576

export async function open({ port, ca, connections }: Options): Promise<Runner> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => dial(port, ca)))
  const receive = (socket: Socket, bytes: number): Promise<void> =>
    new Promise(resolve => {
      let got = 0
      const onData = (chunk: Buffer): void => {
        got += chunk.length
        if (got < bytes) return
        socket.off('data', onData)
        resolve()
      }
      socket.on('data', onData)
      socket.write(orderFor(bytes))
    })
  return {
    run: async order => {
      const bytes = Math.ceil(bytesOf(order) / connections)
      const endDelay = beginDelay()
      const beganMs = performance.now()
      await Promise.all(sockets.map(socket => receive(socket, bytes)))
      const elapsedMs = performance.now() - beganMs
      return { count: (connections * bytes) / MIB, elapsedMs, others: { delay: endDelay() } }
    },
  }
}

async function dial(port: number, ca: string | null): Promise<Socket> {
  const host = '127.0.0.1'
  const socket =
    ca === null
      ? connect({ host, port, noDelay: true })
      : connectTls({ host, port, ca, servername: 'localhost' })
  await once(socket, ca === null ? 'connect' : 'secureConnect')
  return socket
}
