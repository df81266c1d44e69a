/** Servers in a pool of their test's own, and raw clients for them; all is gone when the test is over. */
import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import { type ServerOptions, startServer } from '../../src/library/start-server.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { ConnectionHandler, Server } from '../../src/pool/server/server.ts'
import type { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../src/streams/writing/stream-writer.ts'
import { openPool } from './pool-fixture.ts'

export type Served = { readonly pool: Pool; readonly server: Server }

/** A server on a free port of 127.0.0.1. */
export async function serve(
  handler: ConnectionHandler,
  options: ServerOptions = {},
  poolOptions: PoolOptions = {},
): Promise<Served> {
  const pool = options.pool ?? (await openPool(poolOptions))
  const server = await startServer(handler, '127.0.0.1', 0, { ...options, pool })
  return { pool, server }
}

/** A connected client whose errors are its own affair. */
export async function dial({ address: { address, port, family } }: Server): Promise<Socket> {
  const where: NetConnectOpts = family === 'unix' ? { path: address } : { host: address, port }
  const socket = connect(where)
  onTestFinished(() => {
    socket.destroy()
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves with all that a client gets until the end. */
export async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Resolves when nothing is left of a client's connection. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) {
    socket.resume()
    await new Promise(resolve => socket.once('close', resolve))
  }
}

export async function echoLines(reader: StreamReader, writer: StreamWriter): Promise<void> {
  for await (const line of reader) {
    writer.write(line)
    await writer.drain()
  }
  writer.close()
}
