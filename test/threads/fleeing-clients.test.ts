/** Clients that hang up at every moment of the handshake: they cost their own connection, and nobody else's. */
import { expect, test } from 'vitest'
import type { PoolOptions } from '../../src/library/create-pool.ts'
import type { PoolEvent } from '../../src/pool/pool-deps.ts'
import { type Flight, flee } from '../support/fleeing-client.ts'
import { openPool } from '../support/pool-fixture.ts'
import { echoLines, serve } from '../support/server-fixture.ts'
import { testCertificate } from '../support/tls-certs.ts'
import { until } from '../support/until.ts'

type Told = Parameters<NonNullable<PoolOptions['onEvent']>>[0] | PoolEvent

const { cert, key } = await testCertificate()
const BATCH = 32

/** A server over TLS and a connection to it that is kept busy, both in the one I/O worker of the pool. */
async function busyServer(options: PoolOptions = {}) {
  const events: Told[] = []
  const onEvent = (event: Told): void => void events.push(event)
  const { pool, server } = await serve(
    echoLines,
    { tls: { cert, key }, onError: () => {} },
    { ioWorkers: 1, onEvent, ...options },
  )
  const where = { host: '127.0.0.1', port: server.address.port, tls: { ca: cert, servername: 'localhost' } }
  return { pool, server, where, events }
}

/** Every moment of both versions' handshakes, by each way to hang up. */
function everyFlight(): readonly Flight[] {
  const moments = [
    Number.POSITIVE_INFINITY,
    0,
    1,
    4,
    5,
    6,
    ...Array.from({ length: 44 }, (_, step) => 40 + 16 * step),
  ]
  return moments.flatMap(afterBytes =>
    (['fin', 'reset', 'goodbye'] as const).flatMap(how =>
      (['TLSv1.2', 'TLSv1.3'] as const).map(version => ({ afterBytes, how, version })),
    ),
  )
}

test('a TLS server outlives clients that hang up at every moment of the handshake', async () => {
  const { pool, server, where, events } = await busyServer()
  const lease = await pool.lease(where)
  const flights = everyFlight()
  expect(flights.length).toBeGreaterThanOrEqual(300)
  for (let from = 0; from < flights.length; from += BATCH) {
    const port = server.address.port
    const gone = flights.slice(from, from + BATCH).map(flight => flee(port, flight))
    lease.writer.write(`${from}\n`)
    expect((await lease.reader.readLine()).toString()).toBe(`${from}\n`)
    await Promise.all(gone)
  }
  await until('their handlers are done', () => server.stats().clients === 1)
  expect(
    events.filter(({ kind }) => kind === 'fault' || kind === 'worker_lost' || kind === 'clients_dropped'),
  ).toEqual([])
  await lease.release()
  server.close()
}, 30_000)

test('an I/O worker outlives sockets that answer null and throw when they are asked who they are', async () => {
  const ioWorkerFile = new URL('../fixtures/threads/forgetful-io-worker.ts', import.meta.url)
  const { pool, server, where, events } = await busyServer({ ioWorkerFile })
  const leases = await Promise.allSettled(
    Array.from({ length: 60 }, () => pool.lease(where, { tenant: `${Math.random()}` })),
  )
  const served = leases.filter(({ status }) => status === 'fulfilled').length
  const refused = leases.flatMap(each => (each.status === 'rejected' ? [each.reason.code] : []))
  // The odds are what the seed made them.
  expect(served + refused.length).toBe(60)
  expect(refused.length).toBeGreaterThan(0)
  expect(events.filter(({ kind }) => kind === 'worker_lost')).toEqual([])
  for (const lease of leases) if (lease.status === 'fulfilled') await lease.value.discard()
  await until('nobody is left', () => server.stats().clients === 0)
  server.close()
})

test('a pool outlives an I/O worker whose messages make no sense', async () => {
  const events: Told[] = []
  const onEvent = (event: Told): void => void events.push(event)
  const ioWorkerFile = new URL('../fixtures/threads/garbling-io-worker.ts', import.meta.url)
  const pool = await openPool({ ioWorkers: 1, ioWorkerFile, onEvent })
  const lease = pool.lease({ host: '127.0.0.1', port: 9 })
  await expect(lease).rejects.toMatchObject({ code: 'CONNECT_FAILED', message: 'nobody dials here' })
  expect(events.filter(({ kind }) => kind === 'fault')).toHaveLength(3)
})
