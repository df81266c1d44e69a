/** What an operator says to a pool while it runs, against a server that counts. */
import { describe, expect, test } from 'vitest'
import type { Lease } from '../../src/pool/lease/lease.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { echoLine, startLineServer } from '../support/line-server.ts'
import { openPool, targetOf } from '../support/pool-fixture.ts'
import type { TestServer } from '../support/test-server.ts'
import { until } from '../support/until.ts'

type Bounds = NonNullable<Parameters<typeof targetOf>[1]>['pool']

async function opened(pool: Bounds = {}): Promise<{ readonly server: TestServer; readonly pool: Pool }> {
  const server = await startLineServer(echoLine)
  const it = targetOf(server, { reuse: 'clean', pool: { max: 4, ...pool } })
  return { server, pool: await openPool({ targets: { it } }) }
}

async function ask(lease: Lease): Promise<void> {
  lease.writer.write('x\n')
  expect((await lease.reader.readLine({ timeoutMs: 2_000 })).toString()).toBe('x\n')
}

/** A lease that was used and given back, and whose connection lies idle. */
async function idle(pool: Pool): Promise<void> {
  await pool.use('it', ask)
  await until('the connection is idle', () => row(pool).connections.idle === 1)
}

const row = (pool: Pool) => {
  const [it] = pool.targets()
  if (it === undefined) throw new Error('the pool has a target')
  return it
}

describe('pause', () => {
  test('makes callers wait within their time, and resume serves them', async () => {
    const { pool } = await opened()
    await idle(pool)
    expect(await pool.pause('it')).toMatchObject({ state: 'paused', leased: 0 })
    await expect(pool.lease('it', { waitMs: 30 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    await expect(pool.lease('it', { waitMs: 0 })).rejects.toMatchObject({ code: 'TARGET_PAUSED' })
    const waiting = pool.lease('it', { waitMs: 5_000 })
    await until('a caller waits', () => row(pool).waiters === 1)
    expect(row(pool).state).toBe('paused')
    expect(await pool.resume('it')).toMatchObject({ state: 'active' })
    await (await waiting).release()
  })

  test('lets leases go on, and with wait it ends when the last one is back', async () => {
    const { pool } = await opened()
    const lease = await pool.lease('it')
    await expect(pool.pause('it', { wait: true, timeoutMs: 30 })).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
    })
    const paused = pool.pause('it', { wait: true })
    await ask(lease)
    await lease.release()
    expect(await paused).toMatchObject({ state: 'paused', leased: 0 })
  })

  test('dials for nobody', async () => {
    const { pool, server } = await opened({ min: 2 })
    await until('the minimum is there', () => row(pool).connections.idle === 2)
    await pool.pause('it')
    await expect(pool.lease('it', { waitMs: 50 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    expect(server.accepted).toBe(2)
  })
})

describe('disable', () => {
  test('fails those who wait and those who come, and enable ends it', async () => {
    const { pool } = await opened({ max: 1 })
    const lease = await pool.lease('it')
    const waiting = pool.lease('it', { waitMs: 5_000 })
    await until('a caller waits', () => row(pool).waiters === 1)
    const [refused, done] = await Promise.all([waiting.catch((error: unknown) => error), pool.disable('it')])
    expect(refused).toMatchObject({ code: 'TARGET_PAUSED', retryable: true })
    expect(done).toMatchObject({ state: 'disabled', refused: 1, leased: 1 })
    await expect(pool.lease('it')).rejects.toMatchObject({ code: 'TARGET_PAUSED' })
    await ask(lease)
    await lease.release()
    // A resume ends a pause only.
    expect(await pool.resume('it')).toMatchObject({ state: 'disabled' })
    expect(await pool.enable('it')).toMatchObject({ state: 'active' })
    await pool.use('it', ask)
  })
})

describe('drain', () => {
  test('closes what comes back, and ends when nothing is left', async () => {
    const { pool, server } = await opened()
    await idle(pool)
    const lease = await pool.lease('it')
    await expect(pool.drain('it', { timeoutMs: 30 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    await expect(pool.lease('it')).rejects.toMatchObject({ code: 'DRAINING' })
    const drained = pool.drain('it')
    await ask(lease)
    expect(await lease.release()).toEqual({ outcome: 'closed', reason: 'drain' })
    expect(await drained).toMatchObject({ state: 'draining', leased: 0 })
    expect(row(pool)).toMatchObject({ state: 'draining', closed: { drain: 1 } })
    expect(server.accepted).toBe(1)
    await pool.enable('it')
    await pool.use('it', ask)
  })
})

describe('reconnect', () => {
  test('closes idle connections at once, leased ones when they come back, and dials new ones', async () => {
    const { pool, server } = await opened()
    const held = await pool.lease('it')
    await pool.use('it', ask)
    await until('the other is idle', () => row(pool).connections.idle === 1)
    expect(await pool.reconnect('it')).toMatchObject({ state: 'active', closed: 1, leased: 1 })
    await expect(pool.waitClose('it', { timeoutMs: 30 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
    const renewed = pool.waitClose('it')
    await pool.use('it', async lease => {
      expect(lease.reused).toBe(false)
      await ask(lease)
    })
    await ask(held)
    expect(await held.release()).toEqual({ outcome: 'closed', reason: 'reconnect' })
    await renewed
    expect(server.accepted).toBe(3)
    expect(row(pool).closed).toMatchObject({ reconnect: 2 })
  })

  test('cuts no dial of a caller that waits', async () => {
    const { pool } = await opened()
    const waiting = pool.lease('it', { waitMs: 5_000 })
    await pool.reconnect('it')
    await ask(await waiting)
  })
})

describe('resize', () => {
  test('lets more in, and takes a surplus back without cutting a lease', async () => {
    const { pool } = await opened({ max: 1 })
    const leases = [await pool.lease('it')]
    const waiting = pool.lease('it', { waitMs: 5_000 })
    await until('a caller waits', () => row(pool).waiters === 1)
    await pool.resize('it', { max: 3 })
    leases.push(await waiting, await pool.lease('it'))
    expect(await pool.resize('it', { max: 1 })).toMatchObject({ leased: 3 })
    expect(row(pool).connections).toMatchObject({ leased: 3, max: 1 })
    await expect(pool.lease('it', { waitMs: 0 })).rejects.toMatchObject({ code: 'POOL_EXHAUSTED' })
    await Promise.all(leases.map(ask))
    const results = await Promise.all(leases.map(lease => lease.release()))
    expect(results.map(({ reason }) => reason).toSorted()).toEqual(['clean', 'resize', 'resize'])
    await until('one is left', () => row(pool).connections.idle === 1 && row(pool).connections.closing === 0)
  })

  test('warms up to a new minimum', async () => {
    const { pool } = await opened()
    await pool.resize('it', { min: 3 })
    await until('three are idle', () => row(pool).connections.idle === 3)
  })

  test.each([
    [{ min: 5 }, 'pool.min'],
    [{ max: 0 }, 'pool.max'],
    [{ max: 1.5 }, 'pool.max'],
    [{ max: '3' }, 'pool.max'],
    [{ size: 3 }, 'pool.size'],
    [{ idleTimeoutMs: Number.NaN }, 'pool.idleTimeoutMs'],
  ])('refuses %j', async (changes, path) => {
    const { pool } = await opened()
    await expect(pool.resize('it', changes as never)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      errors: [{ path }],
    })
    expect(row(pool).connections).toMatchObject({ min: 0, max: 4 })
  })
})

describe('kill', () => {
  test('ends a connection and the lease on it, whose reads fail', async () => {
    const { pool } = await opened()
    const lease = await pool.lease('it')
    const reading = lease.reader.readLine()
    const [, outcome] = await Promise.all([
      pool.kill(lease.connection.id),
      reading.catch((error: unknown) => error),
    ])
    expect(outcome).toMatchObject({ code: 'LEASE_GONE', reason: 'killed' })
    await until('the slot is free', () => row(pool).connections.closing === 0)
    expect(row(pool).closed).toEqual({ killed: 1 })
  })

  test('ends a lease by its id, and an idle connection by its own', async () => {
    const { pool } = await opened()
    const lease = await pool.lease('it')
    expect(await pool.kill(lease.id)).toEqual({ killed: 'lease' })
    expect(lease.gone).toBe('killed')
    await idle(pool)
    const [connection] = pool.connections()
    expect(await pool.kill(connection?.id ?? '')).toEqual({ killed: 'connection' })
    await expect(pool.kill('no-such')).rejects.toMatchObject({ code: 'CONNECTION_NOT_FOUND' })
  })
})

test('verbs of targets that are not there are TARGET_NOT_FOUND', async () => {
  const { pool } = await opened()
  for (const verb of ['pause', 'resume', 'disable', 'enable', 'drain', 'reconnect', 'waitClose'] as const)
    await expect(pool[verb]('no')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
})

test('no lease fails that is asked for while a target is reconnected, resized and paused over and over', async () => {
  const { pool, server } = await opened({ max: 4 })
  let isOver = false
  let served = 0
  const caller = async (): Promise<void> => {
    while (!isOver) {
      await pool.use('it', ask, { waitMs: 10_000 })
      served++
    }
  }
  const callers = Array.from({ length: 8 }, caller)
  for (let round = 0; round < 20; round++) {
    await pool.reconnect('it')
    await pool.resize('it', { max: 1 + (round % 4) })
    await pool.pause('it', { wait: true, timeoutMs: 5_000 })
    await pool.waitClose('it', { timeoutMs: 5_000 })
    const before = served
    await pool.resume('it')
    await until('callers are served', () => served > before + 8)
  }
  isOver = true
  await Promise.all(callers)
  expect(server.accepted).toBeGreaterThan(20)
})
