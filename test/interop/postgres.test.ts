/** `postgres`, unchanged, over leased connections to a real PostgreSQL: its `socket` option takes them. */
import postgres from 'postgres'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LARGE_BYTES, leaseSockets, ROUNDS } from '../support/leased-sockets.ts'
import { findService, type Place } from '../support/services.ts'

const CONNECTIONS_MAX = 4

type Options = NonNullable<Parameters<typeof postgres>[1]> & { readonly socket: () => Promise<unknown> }

async function open({ host, port }: Place, max = CONNECTIONS_MAX) {
  const sockets = await leaseSockets({ host, port, pool: { max: CONNECTIONS_MAX } })
  const options: Options = { socket: () => sockets.socket(), user: 'postgres', database: 'test', max }
  const sql = postgres(options)
  onTestFinished(() => sql.end({ timeout: 0 }))
  return { sockets, sql }
}

describe('postgres over leases', () => {
  test('answers 1,000 pipelined queries over at most 4 connections', async ({ skip }) => {
    const { sockets, sql } = await open(await findService('postgres', skip))
    const queries = Array.from(
      { length: ROUNDS },
      (_, index) => sql<{ twice: number }[]>`SELECT ${index}::int * 2 AS twice`,
    )
    const results = await Promise.all(queries)
    expect(results.map(([row]) => row?.twice)).toEqual(results.map((_, index) => index * 2))
    expect(sockets.pool.stats().leases).toBeLessThanOrEqual(CONNECTIONS_MAX)
    await sql.end()
    await sockets.settled()
  })

  test('carries 10 MB there and back', async ({ skip }) => {
    const { sockets, sql } = await open(await findService('postgres', skip), 1)
    const sent = Buffer.alloc(LARGE_BYTES, 'sockpool ')
    const [row] = await sql<{ back: Buffer }[]>`SELECT ${sent}::bytea AS back`
    expect(row?.back.equals(sent)).toBe(true)
    await sql.end()
    await sockets.settled()
  })

  test('notices that its backend was terminated, and leases another', async ({ skip }) => {
    const place = await findService('postgres', skip)
    const [{ sockets, sql }, admin] = await Promise.all([open(place, 1), open(place, 1)])
    const [row] = await sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`
    const pid = row?.pid ?? 0
    const running = sql`SELECT pg_sleep(30)`.then(
      () => 'answered',
      (error: Error & { code?: string }) => error.code ?? error.message,
    )
    await admin.sql`SELECT pg_terminate_backend(${pid})`
    expect(await running).toBe('CONNECTION_CLOSED')
    // Over any socket the client keeps the lost backend's last word for the next query; then it is well.
    await sql`SELECT 1`.catch((error: Error & { code?: string }) => expect(error.code).toBe('57P01'))
    const [other] = await sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`
    expect(other?.pid).toBeGreaterThan(0)
    expect(other?.pid).not.toBe(pid)
    await Promise.all([sql.end(), admin.sql.end()])
    await Promise.all([sockets.settled(), admin.sockets.settled()])
  })
})
