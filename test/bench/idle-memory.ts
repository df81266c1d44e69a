/**
 * Resident memory of idle connections: so many of a pool's beside as many plain `net` sockets, each kind in a process
 * of its own, against a peer in a third. `node test/bench/idle-memory.ts [COUNT]`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createPool } from '../../src/library/create-pool.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'

const KINDS = ['sockpool', 'net'] as const
type Kind = (typeof KINDS)[number]
/** Dials under way at once: the peer's backlog holds as many. */
const DIALS = 200

// What is loaded is loaded in both.
const before = process.memoryUsage.rss()

const [first = '10000', second = '10000', third = '0'] = process.argv.slice(2)
const role = Number.isNaN(Number(first)) ? first : 'main'
const count = Number(role === 'main' ? first : second)

if (role === 'peer') await servePeer()
else if (role === 'sockpool' || role === 'net') await measure(role, Number(third))
else await compare()

async function servePeer(): Promise<void> {
  const server = createServer({ noDelay: true }, socket => socket.on('error', () => {}))
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
  await once(server, 'listening')
  const address = server.address()
  process.send?.(typeof address === 'object' && address ? address.port : 0)
  process.on('disconnect', () => process.exit())
}

async function measure(kind: Kind, port: number): Promise<void> {
  const close = kind === 'net' ? await openSockets(port) : await openPool(port)
  globalThis.gc?.()
  process.send?.(process.memoryUsage.rss() - before)
  await once(process, 'message')
  await close()
  process.disconnect?.()
}

async function openSockets(port: number): Promise<() => Promise<void>> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(DIALS, count - sockets.length) }, () =>
      connect({ host: '127.0.0.1', port, noDelay: true }),
    )
    await Promise.all(some.map(socket => once(socket, 'connect')))
    sockets.push(...some)
  }
  return async () => {
    for (const socket of sockets) socket.destroy()
  }
}

async function openPool(port: number): Promise<() => Promise<void>> {
  const pool = await createPool({
    ioWorkers: 2,
    targets: {
      idle: { host: '127.0.0.1', port, reuse: 'clean', pool: { max: count, waitTimeoutMs: 120_000 } },
    },
    limits: { leases: count, waiters: count },
  })
  const leases: Lease[] = []
  while (leases.length < count) {
    const some = Array.from({ length: Math.min(DIALS, count - leases.length) }, () => pool.lease('idle'))
    leases.push(...(await Promise.all(some)))
  }
  for (const lease of leases) await lease.release()
  return () => pool.close()
}

async function compare(): Promise<void> {
  const peer = fork(import.meta.filename, ['peer'])
  const [port] = await once(peer, 'message')
  for (const kind of KINDS) {
    const child: ChildProcess = fork(import.meta.filename, [kind, String(count), String(port)], {
      execArgv: ['--expose-gc'],
    })
    const [rss] = await once(child, 'message')
    console.log(`${kind}: ${count} idle connections, ${(Number(rss) / 1_024 / count).toFixed(1)} KiB each`)
    child.send('end')
    await once(child, 'exit')
  }
  peer.disconnect()
}
