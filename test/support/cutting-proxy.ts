/**
 * A network that breaks: what lies between a client and a server, passes bytes on in both directions, and cuts every
 * connection at a random byte of one of them. What was passed on before the cut has left.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Random } from './fence-random.ts'

export type CuttingProxy = {
  readonly port: number
  /** Connections that were cut so far, by direction. */
  readonly cuts: { readonly up: number; readonly down: number }
  close(): Promise<void>
}

/** Bytes at the most until a connection is cut. */
const PASSED_BYTES_MAX = 12_000

export async function startCuttingProxy(
  target: { readonly host: string; readonly port: number },
  random: Random,
): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  const cuts = { up: 0, down: 0 }
  const server = createServer({ noDelay: true }, client => {
    const upstream = connect({ ...target, noDelay: true })
    const both = [client, upstream]
    const direction = random.chance(0.5) ? 'up' : 'down'
    const resets = random.chance(0.5)
    // As many cuts within the first bytes as within the first hundreds and thousands.
    let left = Math.floor(PASSED_BYTES_MAX ** random.next())
    const cut = (): void => {
      cuts[direction]++
      for (const socket of both)
        if (resets) socket.resetAndDestroy()
        else socket.destroy()
    }
    const pass = (from: Socket, to: Socket, way: 'up' | 'down'): void => {
      from.on('data', (bytes: Buffer) => {
        if (way !== direction) return void to.write(bytes)
        const passed = bytes.subarray(0, left)
        left -= passed.length
        // The cut comes when the kernel has what was passed on.
        to.write(passed, () => {
          if (left === 0) cut()
        })
      })
    }
    pass(client, upstream, 'up')
    pass(upstream, client, 'down')
    for (const socket of both) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        for (const other of both) other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cuts,
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
