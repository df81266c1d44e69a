/** Rows `echo-256` and `echo-1`: 64 bytes there and back, over and over, on each of so many connections. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createPool } from '../../src/library/create-pool.ts'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { beginStretch } from './busy.ts'
import { startPeer } from './child.ts'
import type { Contender, Field, Goal, Measure, Row } from './rounds.ts'

const MESSAGE = Buffer.alloc(64, 0x61)
const ROUND_MS = 400

export function echoRow(name: string, connections: number, goals: readonly Goal[]): Row {
  return {
    name,
    what: `64 B echo, ${connections} connection${connections === 1 ? '' : 's'} in flight`,
    unit: 'req/s',
    goals,
    setUp: () => setUp(connections),
  }
}

async function setUp(connections: number): Promise<Field> {
  const peer = await startPeer()
  const port = peer.ports.echo
  const pool = await createPool({
    ioWorkers: 1,
    targets: { echo: { host: '127.0.0.1', port, pool: { max: connections } } },
  })
  const ours = await pooledEcho(pool, connections)
  const net = await plainEcho(port, connections)
  return {
    contenders: [ours, net],
    close: async () => {
      await pool.close()
      await peer.close()
    },
  }
}

async function pooledEcho(pool: Pool, connections: number): Promise<Contender> {
  const leases = await Promise.all(Array.from({ length: connections }, () => pool.lease('echo')))
  const loop = async ({ reader, writer }: Lease, isOver: () => boolean): Promise<number> => {
    let count = 0
    for (; !isOver(); count++) {
      writer.write(MESSAGE)
      await reader.readExactly(MESSAGE.length)
    }
    return count
  }
  const run = (): Promise<Measure> =>
    measure(async isOver => {
      const counts = await Promise.all(leases.map(lease => loop(lease, isOver)))
      return counts.reduce((total, count) => total + count, 0)
    })
  return { name: 'sockpool', run }
}

/** The same loop on this thread: one listener per socket for good, one promise per reply, as few steps as that takes. */
async function plainEcho(port: number, connections: number): Promise<Contender> {
  const clients = await Promise.all(Array.from({ length: connections }, () => PlainClient.connect(port)))
  const loop = async (client: PlainClient, isOver: () => boolean): Promise<number> => {
    let count = 0
    for (; !isOver(); count++) await client.ask(MESSAGE)
    return count
  }
  const run = (): Promise<Measure> =>
    measure(async isOver => {
      const counts = await Promise.all(clients.map(client => loop(client, isOver)))
      return counts.reduce((total, count) => total + count, 0)
    })
  return { name: 'net', run }
}

class PlainClient {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #received = 0
  #resolve: (reply: Buffer) => void = () => {}

  static async connect(port: number): Promise<PlainClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    // The sockets of a bench whose peer has gone may not outlive it.
    return new PlainClient(socket.unref())
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => {
      this.#received += chunk.length
      if (chunk.length < MESSAGE.length) this.#chunks.push(chunk)
      if (this.#received < MESSAGE.length) return
      const reply = this.#chunks.length === 0 ? chunk : Buffer.concat(this.#chunks)
      this.#chunks = []
      this.#received = 0
      this.#resolve(reply)
    })
  }

  ask(message: Buffer): Promise<Buffer> {
    return new Promise(resolve => {
      this.#resolve = resolve
      this.#socket.write(message)
    })
  }
}

async function measure(run: (isOver: () => boolean) => Promise<number>): Promise<Measure> {
  const endMs = performance.now() + ROUND_MS
  const end = beginStretch()
  const count = await run(() => performance.now() >= endMs)
  const { elapsedMs, busy, cpu } = end()
  return { rate: (count * 1_000) / elapsedMs, busy, cpu }
}
