/** Where a thread's HTTP server listens: on a port that all threads share, at one address or several. */
import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'

/**
 * Binds the server to the first host, and to the others so that what they accept is the server's too. An address beside the
 * first that this machine does not have is skipped, as one that nobody can call.
 *
 * `isFirst`: fails where another process has the port, even one that would share it. Errors: the system's.
 */
export async function listenOn(
  server: HttpServer,
  hosts: readonly string[],
  port: number,
  isFirst: boolean,
): Promise<{ readonly port: number; readonly address: string; readonly beside: readonly Server[] }> {
  const [host = '127.0.0.1', ...others] = hosts
  if (isFirst && port !== 0) await checkFree(host, port)
  await bound(server, host, port)
  const place = server.address()
  if (place === null || typeof place === 'string') throw new Error('the server has no port')
  const beside: Server[] = []
  for (const other of others) {
    const more = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) =>
      server.emit('connection', socket),
    )
    try {
      await bound(more, other, place.port)
    } catch {
      continue
    }
    more.on('error', error => server.emit('error', error))
    beside.push(more)
  }
  return { port: place.port, address: place.address, beside }
}

/** A port that is shared could be shared with another process of this user, and half of the callers would be its. */
async function checkFree(host: string, port: number): Promise<void> {
  const probe = createServer()
  probe.listen({ host, port })
  await once(probe, 'listening')
  probe.close()
  await once(probe, 'close')
}

async function bound(server: Server | HttpServer, host: string, port: number): Promise<void> {
  server.listen({ host, port, reusePort: true })
  await once(server, 'listening')
}
