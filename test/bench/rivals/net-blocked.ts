/** Bytes that come in at `net` sockets while their thread is blocked half of the time. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { beginBlocking, periodsOf } from '../blocking.ts'
import type { Runner } from '../hosting/runner.ts'
import { orderFor } from '../peers/orders.ts'

const MIB = 1_048_576
/** More than comes in a whole bench. */
const ENDLESS = 2 ** 50

export async function open(options: {
  readonly port: number
  readonly connections: number
}): Promise<Runner> {
  const { port, connections } = options
  let received = 0
  const sockets = Array.from({ length: connections }, () =>
    connect({ host: '127.0.0.1', port, noDelay: true }),
  )
  for (const socket of sockets) {
    await once(socket, 'connect')
    socket.on('data', chunk => {
      received += chunk.length
    })
    socket.pause()
    socket.write(orderFor(ENDLESS))
  }
  return {
    run: async ({ forMs }) => {
      const end = beginBlocking()
      received = 0
      const beganMs = performance.now()
      for (const socket of sockets) socket.resume()
      await new Promise(resolve => setTimeout(resolve, periodsOf(forMs)))
      for (const socket of sockets) socket.pause()
      const elapsedMs = performance.now() - beganMs
      end()
      return { count: received / MIB, elapsedMs }
    },
  }
}
