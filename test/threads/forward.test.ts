/** Forwards of a pool whose I/O worker fails, and clients whose other side is silent for good. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { ForwardConfig } from '../../src/config/forward.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer, type TestServer } from '../support/test-server.ts'
import { until, untilComesTo } from '../support/until.ts'

const FORWARD: ForwardConfig = {
  listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
  target: 'it',
  mode: 'session',
  tls: null,
  proxyProtocol: false,
}

async function forwarding(server: TestServer, options: object = {}): Promise<{ pool: Pool; port: number }> {
  const pool = await openPool({ targets: { it: targetOf(server, { pool: { max: 2 } }) }, ...options })
  await pool.forwards.open([FORWARD])
  return { pool, port: pool.forwards.addresses[0]?.port ?? 0 }
}

async function client(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function echoed(socket: Socket, text: string): Promise<void> {
  socket.write(text)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  expect(bytes.toString()).toBe(text)
}

test('an I/O worker that dies takes its clients along, served or waiting, and its successor listens in its place', async () => {
  const server = await startTestServer(echo, { tolerant: true })
  const { pool, port } = await forwarding(server, { ioWorkerFile: TRAPPED_IO_WORKER })
  const [first, second] = [await client(port), await client(port)]
  await echoed(first, 'one')
  await echoed(second, 'two')
  const third = await client(port)
  await until('it waits', () => pool.forwards.stats()[0]?.waiting === 1)
  await setTrap({ worker: 0, do: 'throw' })
  await Promise.all([first, second, third].map(socket => once(socket, 'close')))
  await until('nobody is left', () => pool.forwards.stats()[0]?.clients === 0)
  expect(pool.forwards.stats()).toMatchObject([{ served: { worker_lost: 2 }, refused: { left: 1 } }])
  expect(pool.stats()).toMatchObject({ leases: 0, waiters: 0 })
  // The successor binds the address a moment later, and who came to the thread that dies is cut.
  await untilComesTo('three', async () => {
    const next = await client(port)
    next.end('three')
    return await text(next)
  })
})

test('a forward in message mode is served by the handler that was named last', async () => {
  const server = await startTestServer(echo, { tolerant: true })
  const { pool } = await forwarding(server)
  pool.forwards.serveMode('message', async ({ reader, writer, target, tenant }) => {
    writer.write(`${target} ${tenant.startsWith('forward ')} ${await reader.readLine()}`)
    writer.close()
  })
  await pool.forwards.open([{ ...FORWARD, mode: 'message' }])
  const socket = await client(pool.forwards.addresses.at(-1)?.port ?? 0)
  socket.write('line\n')
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  expect(bytes.toString()).toBe('it true line\n')
  await until('it was counted', () => pool.forwards.stats().at(-1)?.served['done'] === 1)
})

test('a forward that cannot be bound says so, and those that were opened with it are closed', async () => {
  const server = await startTestServer(echo, { tolerant: true })
  const pool = await openPool({ targets: { it: targetOf(server) } })
  const taken: ForwardConfig = { ...FORWARD, listen: { kind: 'tcp', host: '127.0.0.1', port: server.port } }
  await expect(pool.forwards.open([FORWARD, taken])).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    reason: 'EADDRINUSE',
  })
  expect(pool.forwards.stats()).toEqual([])
})
