/** Leases that a program has lost without releasing them. */
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { collected, collectUntil, warningsNamed } from '../support/collect-garbage.ts'
import { endNextLease } from '../support/end-next-lease.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import { echo, startTestServer, type TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

const NAME = 'ResourceWarning'
const TIMEOUT_MS = 30_000

async function start(serve = echo): Promise<{ server: TestServer; pool: Pool }> {
  const server = await startTestServer(serve)
  const pool = await openPool({ targets: { it: targetOf(server, { reuse: 'clean', pool: { max: 1 } }) } })
  return { server, pool }
}

/** Leases, and keeps what `keep` makes of the handle. */
async function lease<T>(pool: Pool, keep: (lease: Lease) => T): Promise<{ readonly kept: T }> {
  return { kept: keep(await pool.lease('it')) }
}

/** Leases, has the peer reset the connection, and lets go of the lease: how it ended. */
async function loseConnection(server: TestServer, pool: Pool): Promise<unknown[]> {
  const held = await pool.lease('it')
  const isIts = (socket: Socket): boolean => socket.remotePort === held.connection.localPort
  await until('it was accepted', () => [...server.sockets].some(isIts))
  for (const socket of server.sockets) if (isIts(socket)) socket.resetAndDestroy()
  return [await held.ended, held.gone]
}

describe('a lease that is lost', () => {
  test('is discarded with a warning, and who waits for a connection gets one', async () => {
    const warnings = warningsNamed(NAME)
    const { server, pool } = await start()
    await lease(pool, ({ reader, writer }) => [reader, writer])
    const waiting = pool.lease('it')
    await collectUntil('it was told', () => warnings.length > 0)
    expect(warnings).toEqual(['unreleased <Lease of it>'])
    expect((await waiting).reused).toBe(false)
    await until('it was another connection', () => server.accepted === 2)
  })

  test.each<[string, (lease: Lease) => unknown]>([
    ['the lease', held => held],
    ['its reader', held => held.reader],
    ['its writer', held => held.writer],
    ['a read that waits', held => held.reader.readLine().catch(error => error)],
    ['a parse that waits', held => held.parse('ndjson').catch(error => error)],
    [
      'an iteration over messages',
      held =>
        held
          .messages('ndjson')
          .next()
          .catch(error => error),
    ],
    ['an operation', held => held.operation('waits', () => held.ended)],
    ['the stream that it was handed over to', held => held.toDuplex().on('error', () => {})],
    ['the web streams that it was handed over to', held => held.toWeb()],
  ])(
    'is not lost while there is still %s',
    async (_what, keep) => {
      const warnings = warningsNamed(NAME)
      const { pool } = await start()
      const { kept } = await lease(pool, keep)
      await collected()
      expect([warnings, pool.stats().leases]).toEqual([[], 1])
      expect(kept).toBeDefined()
      await pool.close()
    },
    TIMEOUT_MS,
  )

  test('says nothing where it was released, discarded, killed, or lost its connection', async () => {
    const warnings = warningsNamed(NAME)
    const { server, pool } = await start()
    expect(await (await lease(pool, held => held.release())).kept).toMatchObject({ outcome: 'reused' })
    expect(await (await lease(pool, held => held.discard())).kept).toMatchObject({ reason: 'discarded' })
    await lease(pool, held => held.kill())
    await (await lease(pool, held => held[Symbol.asyncDispose]())).kept
    expect(await loseConnection(server, pool)).toEqual(['reset', 'reset'])
    await collected()
    expect(warnings).toEqual([])
  })
})

test('Lease is the lease in all that it says', async () => {
  const { pool } = await start()
  const handle = await pool.lease('it', { ttlMs: 60_000, tenant: 'somebody' })
  const row = pool.connections().find(({ tenant }) => tenant === 'somebody')
  expect(handle).toMatchObject({ target: 'it', tenant: 'somebody', reused: false, gone: null })
  expect([handle.connection.id, handle.lastOperation]).toEqual([row?.id, null])
  expect(handle.createdAt.getTime()).toBeLessThanOrEqual(Date.now())
  expect(handle.id).toMatch(/^[\w-]{43}$/)
  for (const name of ['id', 'reader', 'writer', 'ended'] as const) expect(handle[name]).toBe(handle[name])
  handle.writer.write('one\n')
  expect(`${await handle.reader.readLine()}`).toBe('one\n')
  expect([handle.reader.offset, handle.writer.offset]).toEqual([4, 4])
  expect(handle.renew(120_000)?.getTime()).toBeGreaterThan(Date.now() + 60_000)
  expect(handle.expiresAt?.getTime()).toBeGreaterThan(Date.now() + 60_000)
  expect([handle.ageMs, handle.idleMs].every(ms => ms >= 0)).toBe(true)
  expect(await handle.release()).toEqual({ outcome: 'reused', reason: 'clean' })
  expect([handle.gone, await handle.ended]).toEqual(['released', 'released'])
})

describe('a lease that ends before its caller hears of it', () => {
  test('is not the one that its caller gets, where its connection had served before', async () => {
    const { server, pool } = await start()
    await pool.exchange('it', { write: 'a\n', read: { line: true } })
    const first = await pool.lease('it')
    const waiting = pool.lease('it')
    endNextLease(record => record.connectionLost('reset'))
    await first.release()
    const second = await waiting
    expect([second.gone, second.reused]).toEqual([null, false])
    await until('its connection is another', () => server.accepted === 2)
  })
})
