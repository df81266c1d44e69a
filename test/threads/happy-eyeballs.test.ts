import { expect, onTestFinished, test } from 'vitest'
import { startDnsServer } from '../support/dns-server.ts'
import { openPool } from '../support/pool-fixture.ts'
import { echo, refusingPort, startTestServer } from '../support/test-server.ts'

/** A pool that asks a DNS server of the test's own, and may dial what that answers. */
async function poolWithDns(): Promise<Awaited<ReturnType<typeof openPool>>> {
  const dns = await startDnsServer()
  onTestFinished(() => dns.close())
  return await openPool({ egress: { allow: ['*', '127.0.0.0/8'], dnsServers: [dns.address] } })
}

type Workers = ReadonlyArray<{ readonly dialled: number }>

const dialled = async (pool: Awaited<ReturnType<typeof openPool>>): Promise<number> =>
  ((await pool.workers()) as unknown as Workers).reduce((sum, worker) => sum + worker.dialled, 0)

/** Nobody listens on 127.0.0.2 where the test's server does on 127.0.0.1. */
const TWO = 'a-127-0-0-2.a-127-0-0-1.dns.test'

test.each([undefined, 60_000])(
  'an address that refuses gives way to the next at once (delay %s)',
  async delay => {
    const server = await startTestServer(echo)
    const pool = await poolWithDns()
    const more = delay === undefined ? {} : { happyEyeballsDelayMs: delay }
    const startedMs = performance.now()
    const lease = await pool.lease({ host: TWO, port: server.port, ...more })
    expect(lease.connection.remoteAddress).toBe('127.0.0.1')
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    expect(await dialled(pool)).toBe(2)
  },
)

test('the errors of all addresses are one, with their code, all their texts and an AggregateError', async () => {
  const port = await refusingPort()
  const pool = await poolWithDns()
  const error = await pool.lease({ host: TWO, port }).catch(reason => reason)
  expect(error).toMatchObject({
    code: 'CONNECT_REFUSED',
    message: `Multiple exceptions: connect ECONNREFUSED 127.0.0.2:${port}, connect ECONNREFUSED 127.0.0.1:${port}`,
    cause: expect.any(AggregateError),
  })
  expect(error.cause.errors.map(({ code }: { code: string }) => code)).toEqual([
    'CONNECT_REFUSED',
    'CONNECT_REFUSED',
  ])
  expect(await dialled(pool)).toBe(2)
})

test('the error of a single address is that error', async () => {
  const port = await refusingPort()
  const pool = await openPool()
  await expect(pool.lease({ host: '127.0.0.1', port, happyEyeballsDelayMs: 1 })).rejects.toMatchObject({
    code: 'CONNECT_REFUSED',
    message: `connect ECONNREFUSED 127.0.0.1:${port}`,
  })
})

test('localAddress is where the dial starts', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool()
  const lease = await pool.lease({ host: '127.0.0.1', port: server.port, localAddress: '127.0.0.3' })
  expect(lease.connection.localAddress).toBe('127.0.0.3')
  expect((await server.connection()).remoteAddress).toBe('127.0.0.3')
})

test('a localAddress of the other family, or not of this machine, is CONNECT_FAILED', async () => {
  const server = await startTestServer(echo)
  const pool = await openPool()
  const target = { host: '127.0.0.1', port: server.port }
  await expect(pool.lease({ ...target, localAddress: '::1' })).rejects.toMatchObject({
    code: 'CONNECT_FAILED',
    reason: 'EADDRNOTAVAIL',
  })
  await expect(pool.lease({ ...target, localAddress: '192.0.2.1' })).rejects.toMatchObject({
    code: 'CONNECT_FAILED',
    reason: expect.stringMatching(/EADDRNOTAVAIL|EINVAL/),
  })
})

test.each([
  ['localAddress', 'localhost'],
  ['happyEyeballsDelayMs', -1],
])('a bad %s is INVALID_REQUEST', async (path, value) => {
  const pool = await openPool()
  const target = { host: '127.0.0.1', port: 1, [path]: value }
  await expect(pool.lease(target)).rejects.toMatchObject({ code: 'INVALID_REQUEST', errors: [{ path }] })
})
