/** Listeners whose connections are leased, in a pool as the service has one. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../src/base/limits.ts'
import type { Pool } from '../../src/pool/pool.ts'
import type { LeaseListener, LeaseListenOptions } from '../../src/pool/server/lease-listener.ts'
import { setTrap, TRAPPED_IO_WORKER } from '../support/io-worker-trap.ts'
import { openServicePool } from '../support/pool-fixture.ts'
import { until } from '../support/until.ts'

const PLACE = { host: '127.0.0.1', port: 0 }
const SPEC = { backlog: 100, reusePort: false, tls: null, handshakeTimeoutMs: 5_000 }

function listen(pool: Pool, more: Partial<LeaseListenOptions> = {}): Promise<LeaseListener> {
  const { listenBacklog: backlog, listenerTtlMs: ttlMs } = LIMITS
  return pool.listenForLeases(PLACE, SPEC, { tenant: 'one', backlog, maxConnections: null, ttlMs, ...more })
}

async function dial({ address: { address, port } }: LeaseListener): Promise<Socket> {
  const socket = connect(port, address)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => 'its own affair')
  await once(socket, 'connect')
  return socket
}

async function dropped(socket: Socket): Promise<void> {
  socket.resume()
  // A reset is an end like any other.
  if (!socket.closed) await new Promise(resolve => socket.once('close', resolve))
}

async function redial(listener: LeaseListener): Promise<Socket> {
  for (;;) {
    const socket = await dial(listener).catch(() => null)
    if (socket !== null) return socket
  }
}

test('a listener outlives its I/O worker, with its calls, and without its connections', async () => {
  const pool = openServicePool({ ioWorkerFile: TRAPPED_IO_WORKER }, {})
  const listener = await listen(pool)
  const { port } = listener.address
  const client = await dial(listener)
  const lease = await listener.accept()
  const unclaimed = await dial(listener)
  await until('it waits', () => listener.stats().waiting === 1)
  await setTrap({ worker: 0, do: 'throwAfterRead' })
  client.write('the last word')
  await Promise.all([dropped(client), dropped(unclaimed)])
  // What had come by then is still its holder's.
  expect((await lease.reader.read(13)).toString()).toBe('the last word')
  await expect(lease.reader.read()).rejects.toMatchObject({ code: 'WORKER_LOST' })
  await lease.discard()
  await until('they are gone', () => listener.stats().waiting === 0)
  const accepting = listener.accept()
  await until('the worker was replaced', () => pool.ready)
  // It is bound again within the moments of the thread's start; who comes in the very moment between two binds is cut.
  let again: Socket
  do {
    again = await redial(listener)
    await Promise.race([accepting, dropped(again)])
  } while (again.destroyed)
  const next = await accepting
  expect([listener.address.port, next.connection.localPort]).toEqual([port, port])
  again.write('hello\n')
  expect((await next.reader.readLine()).toString()).toBe('hello\n')
  await next.release()
})

test('a listener whose address is lost with its I/O worker ends, and tells those who wait why', async () => {
  const faults: unknown[] = []
  const pool = openServicePool({ ioWorkerFile: TRAPPED_IO_WORKER, onEvent: event => faults.push(event) }, {})
  const listener = await listen(pool)
  const client = await dial(listener)
  await listener.accept()
  const failed = listener.accept().catch(error => error)
  await setTrap({ worker: 0, do: 'throwAfterRead' })
  client.write('the last word')
  // Whoever is quicker has the port.
  const thief = createServer()
  onTestFinished(() => void thief.close())
  await dropped(client)
  thief.on('error', () => 'not yet')
  while (!thief.listening) {
    thief.listen(listener.address.port, '127.0.0.1')
    await Promise.race([once(thief, 'listening'), once(thief, 'error')]).catch(() => 'not yet')
  }
  expect(await failed).toMatchObject({ code: 'LISTEN_FAILED', reason: 'EADDRINUSE' })
  expect(await listener.ended).toBe('failed')
  await expect(listener.accept()).rejects.toMatchObject({ code: 'LISTENER_NOT_FOUND', reason: 'failed' })
  expect(faults).toContainEqual(expect.objectContaining({ kind: 'fault' }))
})

test('unclaimed connections leave room for other tenants, and for those whom a call waits for', async () => {
  const pool = openServicePool({}, { connectionsMax: 16 })
  const [one, two, three] = await Promise.all(['one', 'two', 'three'].map(tenant => listen(pool, { tenant })))
  if (!one || !two || !three) throw new Error('nothing listens')
  for (const listener of [one, two]) {
    await dial(listener)
    await dial(listener)
    await until('both wait', () => listener.stats().waiting === 2)
  }
  // Half of the room is the most for one, and all of it is taken.
  for (const listener of [one, three]) {
    await dropped(await dial(listener))
    expect(listener.stats()).toMatchObject({ refused: 1 })
  }
  const accepting = three.accept()
  await dial(three)
  const wanted = await accepting
  const lease = await one.accept()
  await dial(three)
  await until('there is room again', () => three.stats().waiting === 1)
  await Promise.all([lease.release(), wanted.release()])
})

test('a call is refused where too many leases are held, and its connection waits on', async () => {
  const pool = openServicePool({ limits: { leases: 1 } })
  const listener = await listen(pool)
  const calls = [listener.accept(), listener.accept().catch(error => error)]
  await dial(listener)
  const lease = await calls[0]
  await dial(listener)
  expect(await calls[1]).toMatchObject({ code: 'QUEUE_FULL' })
  expect(listener.stats()).toMatchObject({ waiting: 1, leased: 1, calls: 0 })
  await expect(listener.accept()).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  await lease?.release()
  const next = await listener.accept()
  await next.release()
})

test('calls that wait are bounded with all who wait', async () => {
  const pool = openServicePool({ limits: { waiters: 1 } })
  const listener = await listen(pool)
  const controller = new AbortController()
  const waiting = listener.accept({ signal: controller.signal }).catch(error => error)
  await expect(listener.accept()).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  controller.abort()
  expect(await waiting).toMatchObject({ code: 'ABORTED' })
  await expect(listener.accept({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT', position: 1 })
})

test('a listener that is closed twice answers once, and a closed pool has none', async () => {
  const pool = openServicePool({})
  const listener = await listen(pool)
  await dial(listener)
  await until('it waits', () => listener.stats().waiting === 1)
  const ends = await Promise.all([listener.close(), listener.close('abort')])
  expect(ends).toEqual([
    { dropped: 1, leased: 0 },
    { dropped: 1, leased: 0 },
  ])
  const other = await listen(pool)
  const accepting = other.accept().catch(error => error)
  await pool.close()
  expect(await accepting).toMatchObject({ code: 'DRAINING' })
  await expect(listen(pool)).rejects.toMatchObject({ code: 'DRAINING' })
})
