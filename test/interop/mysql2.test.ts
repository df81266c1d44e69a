/** `mysql2`, unchanged, over leased connections to a real MariaDB: its `stream` option takes them. */
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LARGE_BYTES, type LeasedSockets, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'
import { nextEvent } from '../support/next-event.ts'
import { findService, type Place } from '../support/services.ts'

type Row = RowDataPacket & { readonly value: unknown }

async function connect(sockets: LeasedSockets): Promise<Connection> {
  const stream = await sockets.socket()
  onTestFinished(() => void stream.destroy())
  return await createConnection({ stream, user: 'root', database: 'test' })
}

async function open(place: Place): Promise<{ sockets: LeasedSockets; connection: Connection }> {
  const sockets = await leaseSockets(place)
  return { sockets, connection: await connect(sockets) }
}

async function first(connection: Connection, sql: string, values: unknown[] = []): Promise<unknown> {
  const [rows] = await connection.query<Row[]>(sql, values)
  return rows[0]?.value
}

describe('mysql2 over a lease', () => {
  test('answers 1,000 queries, each with its own result', async ({ skip }) => {
    const { sockets, connection } = await open(await findService('mariadb', skip))
    const queries = Array.from({ length: ROUNDS }, (_, index) =>
      first(connection, 'SELECT ? * 2 AS value', [index]),
    )
    const values = await Promise.all(queries)
    expect(values.map(Number)).toEqual(values.map((_, index) => index * 2))
    await connection.end()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async ({ skip }) => {
    const { sockets, connection } = await open(await findService('mariadb', skip))
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const [rows] = await connection.execute<Row[]>('SELECT ? AS value', [sent])
    expect(sent.equals(rows[0]?.value as Buffer)).toBe(true)
    await connection.end()
    await sockets.settled()
  })

  test('notices that its connection was killed', async ({ skip }) => {
    const { sockets, connection } = await open(await findService('mariadb', skip))
    const other = await connect(sockets)
    const failed = nextEvent(connection, 'error')
    await other.query('KILL CONNECTION ?', [connection.threadId])
    const { code } = (await failed) as { readonly code?: string }
    expect(['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'ER_CONNECTION_KILLED']).toContain(code)
    await expect(connection.query('SELECT 1')).rejects.toThrow()
    expect(await first(other, 'SELECT 1 AS value')).toBe(1)
    await other.end()
    await sockets.settled()
  })
})
