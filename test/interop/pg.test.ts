/** `pg`, unchanged, over leased connections to a real PostgreSQL: its `stream` option takes them. */
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { SocketDuplex } from '../../src/streams/adapters/socket-duplex.ts'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'
import { findService, type Place } from '../support/services.ts'

async function connect(sockets: LeasedSockets, stream?: SocketDuplex): Promise<Client> {
  const socket = stream ?? (await sockets.socket())
  const client = new Client({ user: 'postgres', database: 'test', stream: () => socket })
  // A client that is told of its loss here and rejects its queries as well.
  client.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await client.connect()
  return client
}

async function open(place: Place): Promise<{ sockets: LeasedSockets; client: Client }> {
  const sockets = await leaseSockets(place)
  return { sockets, client: await connect(sockets) }
}

describe('pg over a lease', () => {
  test('answers 1,000 queries, each with its own result', async ({ skip }) => {
    const { sockets, client } = await open(await findService('postgres', skip))
    for (let index = 0; index < ROUNDS; index++) {
      const { rows } = await client.query<{ twice: number }>('SELECT $1::int * 2 AS twice', [index])
      expect(rows).toEqual([{ twice: index * 2 }])
    }
    await client.end()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async ({ skip }) => {
    const { sockets, client } = await open(await findService('postgres', skip))
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const { rows } = await client.query<{ back: Buffer }>('SELECT $1::bytea AS back', [sent])
    expect(rows[0]?.back.equals(sent)).toBe(true)
    await client.end()
    await sockets.settled()
  })

  test('notices that its backend was terminated', async ({ skip }) => {
    const { sockets, client } = await open(await findService('postgres', skip))
    const other = await connect(sockets)
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const running = client.query('SELECT pg_sleep(30)')
    const ended = new Promise(resolve => client.once('end', resolve))
    const [outcome] = await Promise.all([
      running.then(
        () => 'answered',
        (error: Error & { code?: string }) => error.code ?? error.message,
      ),
      other.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]),
    ])
    // 57P01: terminated by an administrator's command.
    expect(outcome).toBe('57P01')
    await ended
    await expect(client.query('SELECT 1')).rejects.toThrow()
    expect((await other.query<{ one: number }>('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await other.end()
    await sockets.settled()
  })
})
