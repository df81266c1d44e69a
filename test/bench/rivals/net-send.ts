/** So many bytes out over each of so many `net` sockets, which wait for `drain`, until the peer has them all. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { bytesOf } from '../byte-tally.ts'
import type { Runner } from '../hosting/runner.ts'
import { orderFor } from '../peers/orders.ts'

const MIB = 1_048_576
const BLOCK = Buffer.alloc(65_536, 0x61)

export async function open(options: {
  readonly port: number
  readonly connections: number
}): Promise<Runner> {
  const { port, connections } = options
  const sockets = Array.from({ length: connections }, () =>
    connect({ host: '127.0.0.1', port, noDelay: true }),
  )
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  const sendAll = async (socket: Socket, bytes: number): Promise<void> => {
    const taken = once(socket, 'data')
    socket.write(orderFor(bytes))
    for (let sent = 0; sent < bytes; sent += BLOCK.length)
      if (!socket.write(BLOCK)) await new Promise(resolve => socket.once('drain', resolve))
    await taken
  }
  return {
    run: async order => {
      const blocks = Math.ceil(bytesOf(order) / connections / BLOCK.length)
      const bytes = blocks * BLOCK.length
      const beganMs = performance.now()
      await Promise.all(sockets.map(socket => sendAll(socket, bytes)))
      return { count: (connections * bytes) / MIB, elapsedMs: performance.now() - beganMs }
    },
  }
}
